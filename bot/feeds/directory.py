"""The feed that reads a directory of mail: single messages, patches, mboxes, packed ones (gzip, xz), and maildirs."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.feeds.opening import holds_mbox, in_thread, oversize, pieces
from bot.feeds.splitting import MAX_MAIL_BYTES, Piece
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_SUFFIXES = frozenset({".eml", ".mbox", ".mbx", ".mail", ".msg", ".patch", ".diff", ".gz", ".xz"})
_PACKED = frozenset({".gz", ".xz"})
_MAILDIR = frozenset({"new", "cur"})
# File systems stamp in ticks: a file of the same tick may come into sight after its neighbour was read.
_TICK_NS = 20_000_000
_MAX_MARKS = 1000


@dataclass(frozen=True, slots=True)
class _File:
    name: str  # relative to the directory
    path: Path
    stamp: int  # when it was last changed or moved here (ctime: no program can set it), ns
    size: int


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a reading stopped.

    A reading takes the files that changed after ``through`` and up to ``until``, by name, and ``name`` is the last of
    them.  ``marks`` has for mboxes, which may grow, and for files whose stamp alone does not tell if they were read,
    the offset behind the last mail, and the size that the file had when all of it was read (-1 before).
    """

    through: int = 0
    until: int = 0
    name: str = ""
    marks: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, position: str) -> _Cursor:
        try:
            through, until, name, marks = json.loads(position)
            read = {str(key): (int(end), int(size)) for key, (end, size) in marks.items()}
            return cls(int(through), int(until), str(name), read)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def __str__(self) -> str:
        return json.dumps([self.through, self.until, self.name, dict(self.marks)], separators=(",", ":"))

    def after(self, file: _File, mark: tuple[int, int], grows: bool) -> _Cursor:
        marks = {name: mark for name, mark in self.marks.items() if name != file.name}
        if grows or file.stamp > self.until - _TICK_NS:
            marks[file.name] = mark
        while len(marks) > _MAX_MARKS:  # the oldest; should such a file grow it is read again as a whole
            del marks[next(iter(marks))]
        return replace(self, name=file.name, marks=marks)


class Directory:
    """Mails of the files in a directory and its subdirectories, by name; files that come while it is watched come last.

    Files with the suffixes of mail are read, and everything in a maildir's ``new`` and ``cur``; hidden files are not.
    A file that is damaged is Unreadable and the others are read.  Mail is given again when a maildir's flags change.
    """

    def __init__(self, path: Path, *, name: str = "", limit: int = MAX_MAIL_BYTES) -> None:
        self.path = path
        self.name = name or str(path)
        self._limit = limit

    def since(self, position: str) -> AsyncIterator[RawMail | Unreadable]:
        return in_thread(self._read(position))

    async def count(self, position: str) -> int | None:
        return await asyncio.to_thread(lambda: sum(1 for _ in self._read(position)))

    def _read(self, position: str) -> Generator[RawMail | Unreadable, None, None]:
        cursor = _Cursor.of(position)
        files = self._files()
        cursor = yield from self._reading(cursor, files)
        newest = max((file.stamp for file in files), default=0)
        # What is kept is what the next reading may need: how far mboxes were read, and names from the last tick.
        marks = {name: mark for name, mark in cursor.marks.items() if name in {file.name for file in files}}
        yield from self._reading(_Cursor(cursor.until, max(newest, cursor.until), "", marks), files)

    def _reading(self, cursor: _Cursor, files: list[_File]) -> Generator[RawMail | Unreadable, None, _Cursor]:
        for file in files:
            in_range = cursor.through - _TICK_NS < file.stamp <= cursor.until
            if not in_range or file.name < cursor.name:
                continue
            mark = cursor.marks.get(file.name)
            if mark is None and file.name == cursor.name:
                continue
            if mark is None or mark[1] != file.size:
                cursor = yield from self._file(cursor, file, mark[0] if mark else 0)
        return cursor

    def _file(self, cursor: _Cursor, file: _File, offset: int) -> Generator[RawMail | Unreadable, None, _Cursor]:
        try:
            grows = holds_mbox(file.path)
            # An mbox that shrank was replaced, and so was any other file that changed.  Packed ones tell no size.
            goes_on = grows and (offset <= file.size or file.path.suffix in _PACKED)
            for piece, last in _and_last(pieces(file.path, offset if goes_on else 0, self._limit)):
                cursor = cursor.after(file, (piece.end, file.size if last else -1), grows)
                if piece.data is None:
                    yield oversize(f"{file.path} at byte {piece.start}", piece, self._limit, str(cursor))
                else:
                    yield RawMail(self.name, str(cursor), piece.data)
        except FeedError as fault:
            cursor = cursor.after(file, (0, file.size), grows=True)
            yield Unreadable(str(file.path), str(fault), "mend or remove the file", str(cursor))
        return cursor

    def _files(self) -> list[_File]:
        try:
            return sorted(_walk(self.path, ""), key=lambda file: file.name)
        except FileNotFoundError:
            raise FeedError(f"{self.name}: there is no directory {self.path}; check the path") from None
        except NotADirectoryError:
            raise FeedError(f"{self.name}: {self.path} is no directory; check the path") from None
        except PermissionError as fault:
            raise FeedError(f"{self.name}: {fault.filename} may not be read; give this user read permission") from None


def _and_last(found: Iterator[Piece]) -> Iterator[tuple[Piece, bool]]:
    """Each piece, and whether it is the last one."""
    held = next(found, None)
    for piece in found:
        if held is not None:
            yield held, False
        held = piece
    if held is not None:
        yield held, True


def _walk(folder: Path, prefix: str) -> Iterator[_File]:
    maildir = folder.name in _MAILDIR
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not (entry.name == "tmp" and (folder / "new").is_dir()):
                        yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
                    continue
                known = entry.stat()
            except FileNotFoundError:  # moved on between the look and the touch, as maildirs do
                continue
            if stat.S_ISREG(known.st_mode) and (maildir or Path(entry.name).suffix.lower() in _SUFFIXES):
                yield _File(f"{prefix}{entry.name}", Path(entry.path), known.st_ctime_ns, known.st_size)
