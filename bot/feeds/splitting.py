"""Splits what a file holds into mails: an mbox in any of its dialects, a single mail, or a bare diff."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

MAX_MAIL_BYTES = 16 << 20
WITNESS_BYTES = 1024
_LINE = 1 << 16  # longer lines are taken in pieces
_FROM = b"From "
_BLANK = (b"\n", b"\r\n")
# ``From who Mon Sep 17 00:00:00 2001``, with a zone before or after the year as some programs write it.
_SEPARATOR = re.compile(
    rb"From \S[^\n]{0,200}? \d\d?:\d\d(?::\d\d)? (?:[A-Z+-][A-Z0-9]{1,5} )?\d{4}(?: [A-Z+-][A-Z0-9]{1,5})?$"
)
_HEADER = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")
_ESCAPED = re.compile(rb"^>+From ")
# The date that format-patch writes for every patch, so that file(1) knows it.
_PATCH_DATE = b" Mon Sep 17 00:00:00 2001"
_DIFF = re.compile(rb"^(?:diff --git |diff -|--- \S|Index: |commit [0-9a-f]{7,64}\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """One mail of a file: its bytes without the ``From `` line, None when it is larger than allowed.

    ``start`` and ``end`` are offsets in the (decompressed) file; the next piece starts at ``end``.  ``witness`` tells
    this piece from any other that may be found at ``start`` later.  ``headless``: it begins in the middle of a mail.
    """

    data: bytes | None
    start: int
    end: int
    witness: str = ""
    headless: bool = False


def witness(opening: bytes) -> str:
    """A digest of the first bytes of a piece, its ``From `` line included."""
    return hashlib.sha256(opening[:WITNESS_BYTES]).hexdigest()[:16]


def is_mbox(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an mbox: they begin with a ``From `` line."""
    first, _, rest = head.lstrip(b"\r\n").partition(b"\n")
    return bool(_SEPARATOR.match(first.rstrip())) and bool(_HEADER.match(rest) or not rest)


def mails(stream: IO[bytes], offset: int = 0, limit: int = MAX_MAIL_BYTES) -> Iterator[Piece]:
    """The mails of an mbox from ``offset`` on, in bounded memory.

    A ``From `` line separates when it has a date, follows a blank line and is followed by a header: people do begin
    sentences with "From ".  format-patch's constant date separates only in a file that begins with it, else it is a
    patch that somebody attached.  Content-Length is not believed.  ``>From `` loses one ``>`` (mboxrd).
    """
    stream.seek(offset)
    split = _Splitter(offset, limit, _begins_with_patch(stream, offset))
    line = stream.readline(_LINE)
    while line:
        after = stream.readline(_LINE)
        if split.separates(line, after):
            yield from split.finished()
            split.begin(line)
        else:
            split.keep(line)
        line = after
    yield from split.finished()


def single(stream: IO[bytes], limit: int = MAX_MAIL_BYTES) -> Piece:
    """The whole file as one mail."""
    data = stream.read(limit + 1)
    end = len(data)
    while more := stream.read(_LINE) if end > limit else b"":
        end += len(more)
    return Piece(data if end <= limit else None, 0, end)


def as_mail(data: bytes, name: str) -> bytes:
    """A bare diff, as ``git diff`` or ``git show`` print it, made into a mail; anything else as it is."""
    found = _DIFF.search(data)
    if found is None or _HEADER.match(data.lstrip()):
        return data
    title = name
    if data.startswith(b"commit "):
        lines = data[: found.end() + 4096].decode("utf-8", "replace").splitlines()
        title = next((line.strip() for line in lines if line.startswith("    ") and line.strip()), name)
    title = "".join(c if c.isascii() and c.isprintable() else "?" for c in title)
    digest = hashlib.sha256(data).hexdigest()[:24]
    head = (
        f"From: unknown <unknown@localhost.invalid>\nSubject: [PATCH] {title}\n"
        f"Message-ID: <{digest}@localhost.invalid>\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    )
    return head.encode("ascii") + data


class _Splitter:
    """What is known in the middle of an mbox."""

    def __init__(self, offset: int, limit: int, patches: bool) -> None:
        self._limit = limit
        self._patches = patches
        self._start = self._at = offset
        self._kept: list[bytes] = []
        self._opening = b""
        self._size = 0
        self._headless = True
        self._blank = self._new_line = True  # was the last line blank, and did it end

    def separates(self, line: bytes, after: bytes) -> bool:
        """Whether a line ends the mail, seen together with the line after it."""
        if not (self._blank and line.startswith(_FROM)):
            return False
        line = line.rstrip()
        return bool(_SEPARATOR.match(line) and _HEADER.match(after)) and (self._patches or _PATCH_DATE not in line)

    def begin(self, line: bytes) -> None:
        self._start, self._opening, self._headless = self._at, line, False
        self._at += len(line)
        self._blank, self._new_line = False, True

    def keep(self, line: bytes) -> None:
        self._at += len(line)
        self._size += len(line)
        if len(self._opening) < WITNESS_BYTES:
            self._opening += line
        if self._size > self._limit:
            self._kept = []
        elif self._new_line and line.startswith(b">") and _ESCAPED.match(line):
            self._kept.append(line[1:])
        else:
            self._kept.append(line)
        self._blank = self._new_line and line in _BLANK
        self._new_line = line.endswith(b"\n")

    def finished(self) -> Iterator[Piece]:
        """The mail that was kept, when there is anything in it."""
        # The blank line before a separator belongs to the mbox.
        if len(self._kept) > 1 and self._kept[-1] in _BLANK:
            self._kept.pop()
        data = b"".join(self._kept)
        if self._size > self._limit:
            yield Piece(None, self._start, self._at, witness(self._opening), self._headless)
        elif data.strip():
            yield Piece(data, self._start, self._at, witness(self._opening), self._headless)
        self._kept, self._size = [], 0


def _begins_with_patch(stream: IO[bytes], offset: int) -> bool:
    """Whether the file's first line is one of format-patch."""
    stream.seek(0)
    first = stream.readline(_LINE)
    stream.seek(offset)
    return _PATCH_DATE in first
