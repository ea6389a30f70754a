"""The tree that is a directory of kernel sources."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bot.model import Answer, Wanted
from bot.ports import TreeError
from bot.trees.scope import Scope, is_inside, is_source
from bot.trees.search import MAX_FILE_BYTES, Search
from bot.trees.words import Words

_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", re.MULTILINE)
_SCOPE_SECONDS = 30.0  # how long a list of the files is trusted; what is in them is looked up each time


class Directory:
    """Sources as they are on the disk now.  Nothing outside the directory is read, whatever a diff or a link says."""

    def __init__(self, path: Path) -> None:
        """Raises TreeError when there is no such directory."""
        self.path = path.expanduser().resolve()
        if not self.path.is_dir():
            raise TreeError(f"tree {path}: there is no such directory; name a directory of kernel sources")
        self.name = _name(self.path)
        self._words = Words()
        self._scope: Scope | None = None
        self._scope_until = 0.0
        self._lock = threading.Lock()  # answers are made in threads

    async def answer(self, wanted: Wanted) -> Answer:
        return await asyncio.to_thread(self._answer, wanted)

    def _answer(self, wanted: Wanted) -> Answer:
        if not self.path.is_dir():
            raise TreeError(f"tree {self.path}: the directory is gone; mount it again or name another")
        texts: dict[str, str | None] = {}
        notes: list[str] = []
        for path, _ in wanted.files:
            data = self._inside(path, notes)
            texts[path] = None if data is None else _decoded(data)
        search = Search(wanted)
        if search:
            with self._lock:
                for path, found in search.among(self._words_near(wanted.near), self._read):
                    texts.setdefault(path, _decoded(found))
        return Answer(texts, (*notes, *search.notes()))

    def _inside(self, path: str, notes: list[str]) -> bytes | None:
        """A file that a diff names, None when it is not there or not ours to read."""
        place = self.path / path
        try:
            # A link may lead out of the tree although the path does not.
            if not is_inside(path) or not place.resolve().is_relative_to(self.path):
                notes.append(f"{path[:200]!r} lies outside the tree: not read")
                return None
            return _bytes(place, notes)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as fault:  # too long a name, no permission
            notes.append(f"{path[:200]!r} cannot be read: {fault.strerror}")
            return None

    def _words_near(self, near: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        """The files to search with their words; those that are new or have changed are read."""
        now = time.monotonic()
        if self._scope is None or now > self._scope_until:
            self._scope, self._scope_until = Scope(_paths(self.path)), now + _SCOPE_SECONDS
        for path in self._scope.nearest(near):
            try:
                known = os.stat(f"{self.path}/{path}")  # noqa: PTH116  thousands of them: a Path costs more than the call
            except OSError:
                continue  # it went away since the directory was listed
            key = (path, known.st_mtime_ns, known.st_size)
            words = self._words.of(key)
            if words is None:
                data = self._read(path) if known.st_size <= MAX_FILE_BYTES else None
                words = self._words.learn(key, data or b"")
            yield path, words

    def _read(self, path: str) -> bytes | None:
        try:
            with open(f"{self.path}/{path}", "rb", buffering=0) as file:  # noqa: PTH123  as above
                return file.read()
        except OSError:
            return None


def _decoded(data: bytes) -> str:
    """Source text in the way of Message.body: every byte can be had back."""
    return data.decode("utf-8", "surrogateescape")


def _bytes(place: Path, notes: list[str]) -> bytes | None:
    with place.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        notes.append(f"{place.name} is larger than {MAX_FILE_BYTES} bytes: not read")
        return None
    return data


def _paths(root: Path) -> Iterator[str]:
    """The source files, links left out: a kernel tree has none that matter, and they lead anywhere."""
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            with os.scandir(root / prefix) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{prefix}{entry.name}/")
                    elif is_source(entry.name) and entry.is_file(follow_symlinks=False):
                        yield f"{prefix}{entry.name}"
        except OSError:
            continue  # one folder that may not be read


def _name(path: Path) -> str:
    """The directory's name, and the kernel's version when the Makefile tells it."""
    try:
        makefile = (path / "Makefile").read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        return path.name
    version = dict(_VERSION.findall(makefile))
    number = ".".join(version[part] for part in ("VERSION", "PATCHLEVEL", "SUBLEVEL") if part in version)
    return f"{path.name} ({number})" if number else path.name
