"""Runs other reviewers of patches on one series."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from bot.model import Series
from bot.ports import ReviewError
from bot.truth.cases import TruthError
from bot.truth.peers import by_regex, complaints, unified
from bot.truth.score import Alarm

Peer: TypeAlias = Callable[[Series, float], Awaitable[tuple[Alarm, ...]]]


def peers(tree: str) -> dict[str, Peer]:
    """The peers that this machine has, by name: checkpatch.pl needs a tree and perl.  Raises TruthError."""
    script = Path(tree).expanduser() / "scripts" / "checkpatch.pl"
    perl = shutil.which("perl")
    if not tree or not script.is_file() or perl is None:
        raise TruthError(f"no checkpatch.pl in {tree or 'the tree'}, or no perl; name a kernel tree with --tree")

    async def checkpatch(series: Series, patience: float) -> tuple[Alarm, ...]:
        words = (perl, str(script), "--no-tree", "--terse", "--no-summary", "--show-types", "--showfile", "-")
        try:
            return complaints(await _output(words, unified(series), patience), series)
        except TimeoutError:
            raise ReviewError(f"checkpatch.pl took longer than {patience:g} seconds") from None

    return {"regular expressions": _regex, "checkpatch.pl": checkpatch}


async def _regex(series: Series, patience: float) -> tuple[Alarm, ...]:
    try:
        return await asyncio.wait_for(asyncio.to_thread(by_regex, series), patience)
    except TimeoutError:
        raise ReviewError(f"the regular expressions took longer than {patience:g} seconds") from None


async def _output(words: tuple[str, ...], given: str, patience: float) -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath, "LC_ALL": "C"},
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(given.encode("utf-8", "surrogateescape")), patience)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return out.decode("utf-8", "replace")
