"""Which source files lie in a directory, and what is in each: looked up as cheaply as the disk allows."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.trees.index import LEARNT_AT_ONCE, Index, blob_name
from bot.trees.scope import is_source
from bot.trees.search import MAX_FILE_BYTES

_SETTLED_NS = 2_000_000_000  # what was written since may be written again without a change of its times


class Folders:
    """The files below a directory by path.  Links are left out: a kernel tree has none that matter."""

    def __init__(self, root: Path, index: Index) -> None:
        self._root, self._index = str(root), index
        self._folders: dict[str, tuple[int, list[str], list[str]]] = {}  # when changed, folders and sources in it
        self._blobs: dict[str, tuple[int, int, int, str]] = {}  # when changed, bytes, inode and blob
        self._known = False
        self._new = False

    def sources(self) -> Mapping[str, Sequence[str]]:
        """The source files by folder.  A folder whose time of change is the same has the same entries."""
        self._recall()
        before, self._folders = self._folders, {}
        pending = [""]
        while pending:
            prefix = pending.pop()
            entries = self._entries(prefix, before.get(prefix))
            if entries is not None:
                self._folders[prefix] = entries
                pending += [f"{prefix}{name}/" for name in entries[1]]
        self._new = self._new or self._folders != before
        return {prefix: entries[2] for prefix, entries in self._folders.items()}

    def _entries(
        self, prefix: str, known: tuple[int, list[str], list[str]] | None
    ) -> tuple[int, list[str], list[str]] | None:
        folders, sources = [], []
        try:
            folder = f"{self._root}/{prefix}"  # thousands of them: a Path costs more
            changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
            if known is not None and known[0] == changed:
                return known
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif is_source(entry.name) and entry.is_file(follow_symlinks=False):
                        sources.append(entry.name)
        except OSError:
            return None  # one folder that may not be read
        return (changed if changed < time.time_ns() - _SETTLED_NS else 0), folders, sources

    def numbered(self, paths: Sequence[str]) -> Iterator[tuple[str, int]]:
        """The files with their numbers in the index."""
        blobs = self.blobs(paths)
        numbers = self._index.numbers()
        return ((path, numbers[blob]) for path, blob in blobs.items() if blob in numbers)

    def blobs(self, paths: Sequence[str]) -> dict[str, str]:
        """What is in each file now; those that are new or have changed are read, and their words learnt."""
        self._recall()
        blobs: dict[str, str] = {}
        fresh: dict[str, bytes] = {}
        known = self._index.numbers().keys()
        for path in paths:
            try:
                blobs[path] = self._blob(path, fresh, known)
            except OSError:
                continue  # it went away since the folder was listed
            if len(fresh) >= LEARNT_AT_ONCE:
                self._index.learn(fresh.items())
                fresh, known = {}, self._index.numbers().keys()
        if fresh:
            self._index.learn(fresh.items())
        self._save()
        return blobs

    def _blob(self, path: str, fresh: dict[str, bytes], known: Collection[str]) -> str:
        stat = os.stat(f"{self._root}/{path}")  # noqa: PTH116  as above
        changed = stat.st_ctime_ns  # what sets the other times changes this one
        stamp = (changed, stat.st_size, stat.st_ino)
        before = self._blobs.get(path)
        if before is not None and before[:3] == stamp and (before[3] in known or before[3] in fresh):
            return before[3]
        data = self.read(path) if stat.st_size <= MAX_FILE_BYTES else None
        blob = blob_name(data or b"")
        if blob not in known:
            fresh[blob] = data or b""
        if changed < time.time_ns() - _SETTLED_NS:
            self._blobs[path] = *stamp, blob
            self._new = True
        return blob

    def read(self, path: str) -> bytes | None:
        """What a file that ``sources`` named says; None for one that cannot be read."""
        try:
            with open(f"{self._root}/{path}", "rb", buffering=0) as file:  # noqa: PTH123  as above
                return file.read()
        except OSError:
            return None

    # -- what is remembered between two processes

    @property
    def _place(self) -> str:
        return f"folders {self._root}"

    def _recall(self) -> None:
        if self._known:
            return
        self._known = True
        with suppress(ValueError, TypeError, LookupError):
            kept = json.loads(self._index.listing(self._place) or b"{}")
            self._folders = _rows(kept["folders"])
            self._blobs = _rows(kept["files"])

    def _save(self) -> None:
        if self._new and self._index.lasting:
            kept = {"folders": _columns(self._folders), "files": _columns(self._blobs)}
            self._index.keep_listing(self._place, json.dumps(kept, separators=(",", ":")).encode())
        self._new = False


def _columns(rows: Mapping[str, tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
    """The names and each column of their rows: what is much alike takes JSON a fifth of the time by columns."""
    return [list(rows), *zip(*rows.values(), strict=True)]


def _rows(columns: Sequence[Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    """Raises ValueError when the columns are not of one length."""
    names, *rest = columns
    return dict(zip(names, zip(*rest, strict=True), strict=True))
