"""Runs other reviewers of patches on one series."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import config
from bot.model import Base, Image, Series
from bot.ports import ReviewError, Tree
from bot.trees.scope import is_inside
from bot.truth.cases import TruthError
from bot.truth.peers import (
    Remark,
    by_regex,
    changed_files,
    complaints,
    found_by_semgrep,
    news,
    remarks,
    states,
    unified,
)
from bot.truth.score import Alarm

Peer: TypeAlias = Callable[[Series, float], Awaitable[tuple[Alarm, ...]]]

_OURS = Path(config.__file__).parent / "peers"
# The kernel's own semantic patches about what RCU faults look like to it: locks, iterators, frees.
_KERNEL_SCRIPTS = (
    "locks/call_kern",
    "locks/double_lock",
    "locks/mini_lock",
    "iterators/use_after_iter",
    "iterators/list_entry_update",
    "free/kfree",
)


def peers(folder: str, tree: Tree) -> dict[str, Peer]:
    """The peers that this machine has, by name.

    checkpatch.pl needs perl and ``folder``, a kernel tree; Coccinelle and Semgrep take part where they are installed,
    and read the files of ``tree``.  Raises TruthError.
    """
    root = Path(folder).expanduser()
    script = root / "scripts" / "checkpatch.pl"
    perl = shutil.which("perl")
    if not folder or not script.is_file() or perl is None:
        raise TruthError(f"no checkpatch.pl in {folder or 'the tree'}, or no perl; name a kernel tree with --tree")
    found: dict[str, Peer] = {"regular expressions": _regex, "checkpatch.pl": _checkpatch(perl, script)}
    if spatch := shutil.which("spatch"):
        scripts = tuple(
            path for name in _KERNEL_SCRIPTS if (path := root / f"scripts/coccinelle/{name}.cocci").is_file()
        )
        found["the kernel's Coccinelle scripts"] = _Files(_Coccinelle(spatch, scripts), tree)
        found["Coccinelle, removal.cocci"] = _Files(_Coccinelle(spatch, (_OURS / "removal.cocci",)), tree)
    if semgrep := shutil.which("semgrep"):
        found["Semgrep"] = _Files(_Semgrep(semgrep), tree)
    return found


async def _regex(series: Series, patience: float) -> tuple[Alarm, ...]:
    try:
        return await asyncio.wait_for(asyncio.to_thread(by_regex, series), patience)
    except TimeoutError:
        raise ReviewError(f"the regular expressions took longer than {patience:g} seconds") from None


def _checkpatch(perl: str, script: Path) -> Peer:
    words = (perl, str(script), "--no-tree", "--terse", "--no-summary", "--show-types", "--showfile", "-")

    async def checkpatch(series: Series, patience: float) -> tuple[Alarm, ...]:
        return complaints(await _output(words, patience, given=unified(series)), series)

    return checkpatch


Program: TypeAlias = Callable[[Path, Sequence[str], float], Awaitable[tuple[Remark, ...]]]


@dataclass(frozen=True)
class _Files:
    """A program that reads whole files: what it says after a series and did not say before it."""

    program: Program
    tree: Tree

    async def __call__(self, series: Series, patience: float) -> tuple[Alarm, ...]:
        base = Base(self.tree.name)
        if self.tree.name and (wanted := changed_files(series)):
            base = base.plus(wanted, await self.tree.answer(wanted))
        before, after = await asyncio.to_thread(states, series, base)
        said = await self._said(after, patience)
        return news(await self._said(before, patience), said, after) if said else ()

    async def _said(self, images: tuple[Image, ...], patience: float) -> tuple[Remark, ...]:
        sources = [image for image in images if image.path.endswith(".c") and is_inside(image.path)]
        if not sources:
            return ()
        with tempfile.TemporaryDirectory(prefix="gracewatch-") as place:
            await asyncio.to_thread(_write, Path(place), sources)
            return await self.program(Path(place), [image.path for image in sources], patience)


def _write(folder: Path, images: Sequence[Image]) -> None:
    for image in images:
        file = folder / image.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(image.text, "utf-8", "surrogateescape")


@dataclass(frozen=True)
class _Coccinelle:
    spatch: str
    scripts: tuple[Path, ...]

    async def __call__(self, folder: Path, paths: Sequence[str], patience: float) -> tuple[Remark, ...]:
        said: list[Remark] = []
        for script in self.scripts:
            words = (self.spatch, "-D", "report", "--very-quiet", "--no-includes", "--cocci-file", str(script), *paths)
            said += remarks(await _output(words, patience, folder), script.stem)
        return tuple(said)


@dataclass(frozen=True)
class _Semgrep:
    semgrep: str

    async def __call__(self, folder: Path, paths: Sequence[str], patience: float) -> tuple[Remark, ...]:
        rules = str(_OURS / "rcu.semgrep.yml")
        quiet = ("--metrics=off", "--disable-version-check", "--no-git-ignore", "--quiet", "--json")
        words = (self.semgrep, "scan", *quiet, "--config", rules, *paths)
        return found_by_semgrep(await _output(words, patience, folder))


async def _output(words: tuple[str, ...], patience: float, folder: Path | None = None, given: str = "") -> str:
    """What a program prints.  Raises ReviewError when it takes too long."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": tempfile.gettempdir()},
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(given.encode("utf-8", "surrogateescape")), patience)
    except TimeoutError:
        raise ReviewError(f"{Path(words[0]).name} took longer than {patience:g} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode("utf-8", "replace")
