"""The tree that is a directory of kernel sources."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bot.model import Answer, Wanted
from bot.ports import TreeError
from bot.trees.folders import Folders
from bot.trees.index import Index
from bot.trees.outlines import decoded, outlines
from bot.trees.scope import Scope, is_inside, is_source
from bot.trees.search import MAX_FILE_BYTES, Search

_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", re.MULTILINE)
_SCOPE_SECONDS = 30.0  # how long a list of the files is trusted; what is in them is looked up each time


class Directory:
    """Sources as they are on the disk now.  Nothing outside the directory is read, whatever a diff or a link says."""

    def __init__(self, path: Path, index: Index | None = None) -> None:
        """Raises TreeError when there is no such directory."""
        self.path = path.expanduser().resolve()
        if not self.path.is_dir():
            raise TreeError(f"tree {path}: there is no such directory; name a directory of kernel sources")
        self.name = _name(self.path)
        self.index = index or Index()
        self._folders = Folders(self.path, self.index)
        self._scope: Scope | None = None
        self._scope_until = 0.0
        self._lock = threading.Lock()  # answers are made in threads

    async def answer(self, wanted: Wanted) -> Answer:
        return await asyncio.to_thread(self._answer, wanted)

    def _answer(self, wanted: Wanted) -> Answer:
        if not self.path.is_dir():
            raise TreeError(f"tree {self.path}: the directory is gone; mount it again or name another")
        notes: list[str] = []
        found: dict[str, bytes | None] = {path: self._inside(path, notes) for path, _ in wanted.files}
        search = Search(wanted)
        if search:
            with self._lock:
                paths = self.scope().nearest(wanted.near)
                for path in search.found(self.index, lambda: self._folders.numbered(paths)):
                    if path not in found:
                        found[path] = self._folders.read(path)
        texts = {path: None if data is None else decoded(data) for path, data in found.items()}
        sources = {path: data for path, data in found.items() if data is not None and is_source(path)}
        return Answer(texts, (*notes, *search.notes()), outlines(self.index, sources))

    def scope(self) -> Scope:
        """The source files."""
        now = time.monotonic()
        if self._scope is None or now > self._scope_until:
            self._scope, self._scope_until = Scope(self._folders.sources()), now + _SCOPE_SECONDS
        return self._scope

    def sources(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of source files; those that cannot be read or are too large are passed over."""
        for path in paths:
            data = self._folders.read(path)
            if data is not None and len(data) <= MAX_FILE_BYTES:
                yield path, data

    def learn(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Take the words of source files into the index; the blob of each."""
        with self._lock:
            return self._folders.blobs(paths)

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


def _bytes(place: Path, notes: list[str]) -> bytes | None:
    with place.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        notes.append(f"{place.name} is larger than {MAX_FILE_BYTES} bytes: not read")
        return None
    return data


def _name(path: Path) -> str:
    """The directory's name, and the kernel's version when the Makefile tells it."""
    try:
        makefile = (path / "Makefile").read_text(encoding="utf-8", errors="replace")[:4096]
    except OSError:
        return path.name
    version = dict(_VERSION.findall(makefile))
    number = ".".join(version[part] for part in ("VERSION", "PATCHLEVEL", "SUBLEVEL") if part in version)
    return f"{path.name} ({number})" if number else path.name
