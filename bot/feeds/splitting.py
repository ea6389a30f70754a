"""Splits what a file holds into mails: an mbox in any of its dialects, a single mail, or a bare diff."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

MAX_MAIL_BYTES = 16 << 20
WITNESS_BYTES = 1024
_BLOCK = 1 << 18
_AHEAD = 1 << 10  # bytes in which a separator and the beginning of the next line must be
# ``From who Mon Sep 17 00:00:00 2001``, with a zone before or after the year as some programs write it.
_SEPARATOR = re.compile(
    rb"From \S[^\n]{0,200}? \d\d?:\d\d(?::\d\d)? (?:[A-Z+-][A-Z0-9]{1,5} )?\d{4}(?: [A-Z+-][A-Z0-9]{1,5})?$"
)
_HEADER = re.compile(rb"[!-9;-~]{1,100}[ \t]*:")
_ESCAPED = re.compile(rb"^>(?=>*From )", re.MULTILINE)
# The date that format-patch writes for every patch, so that file(1) knows it.
_PATCH_DATE = b" Mon Sep 17 00:00:00 2001"
_DIFF = re.compile(rb"^(?:diff --git |diff -|--- \S|Index: |commit [0-9a-f]{7,64}\b)", re.MULTILINE)


class Stream(Protocol):
    """What is asked of a file: open ones, unpacked ones and bytes in memory all have it."""

    def seek(self, offset: int, /) -> int: ...
    def read(self, size: int, /) -> bytes: ...
    def read1(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


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


def mails(stream: Stream, offset: int = 0, limit: int = MAX_MAIL_BYTES) -> Iterator[Piece]:
    """The mails of an mbox from ``offset`` on, in bounded memory.

    A ``From `` line separates when it has a date, follows a blank line and is followed by a header: people do begin
    sentences with "From ".  format-patch's constant date separates only in a file that begins with it, else it is a
    patch that somebody attached.  Content-Length is not believed.  ``>From `` loses one ``>`` (mboxrd).
    """
    window = _Window(stream, offset, _begins_with_patch(stream))
    while (piece := window.next(limit)) is not None:
        if piece.data is None or piece.data.strip():
            yield piece


def single(stream: Stream, limit: int = MAX_MAIL_BYTES) -> Piece:
    """The whole file as one mail."""
    data = stream.read(limit + 1)
    end = len(data)
    while more := stream.read(_BLOCK) if end > limit else b"":
        end += len(more)
    return Piece(data if end <= limit else None, 0, end)


def as_mail(data: bytes, name: str) -> bytes:
    """A bare diff, as ``git diff`` or ``git show`` print it, made into a mail; anything else as it is."""
    found = _DIFF.search(data)
    if found is None or (_HEADER.match(data.lstrip()) and not data.startswith(b"Index: ")):
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


class _Window:
    """The part of an mbox that is in memory: from where a mail begins, or from its middle when it is too large."""

    def __init__(self, stream: Stream, offset: int, patches: bool) -> None:
        self._stream = stream
        self._patches = patches
        self._start = offset  # of the mail, in the file
        self._lost = 0  # bytes of the mail that are not in memory any more
        self._opening = b""
        self._data = b""
        self._ended = False
        self._fault: Exception | None = None
        stream.seek(offset)
        while len(self._data) < _AHEAD and not self._ended:
            self._fill()
        self._headless = not self._separates(0)

    def next(self, limit: int) -> Piece | None:
        """The mail that begins here, None at the end of the file."""
        look = 1
        while (found := self._separator(look)) is None and not self._ended:
            look = max(1, len(self._data) - _AHEAD)
            if len(self._data) > limit + 2 * _AHEAD:
                self._opening = self._opening or self._data[:WITNESS_BYTES]
                self._lost += len(self._data) - _AHEAD
                self._data = self._data[-_AHEAD:]
                look = 4  # what was before it was looked at
            self._fill()
        if found is None and self._fault is not None:
            raise self._fault  # the whole mails before it were given
        return self._cut(len(self._data) if found is None else found, limit)

    def _cut(self, size: int, limit: int) -> Piece | None:
        """The mail without its ``From `` line and the blank line behind it, which belong to the mbox."""
        mail, self._data = self._data[:size], self._data[size:]
        end = self._start + self._lost + size
        if end == self._start:
            return None
        opening = (self._opening or mail)[: end - self._start]
        body = mail if self._headless else mail.partition(b"\n")[2]
        body = body[: len(body) - (2 if body.endswith(b"\n\r\n") else body.endswith(b"\n\n"))]
        data = None if self._lost or len(body) > limit else _ESCAPED.sub(b"", body) if b">From " in body else body
        piece = Piece(data, self._start, end, witness(opening), self._headless)
        self._start, self._lost, self._opening, self._headless = end, 0, b"", False
        return piece

    def _fill(self) -> None:
        try:
            more = self._stream.read1(_BLOCK)
        except (OSError, EOFError, zlib.error) as fault:
            more, self._fault = b"", fault
        self._data += more
        self._ended = not more

    def _separator(self, look: int) -> int | None:
        """Where the next mail begins, as far as it can be told from what is in memory."""
        at = self._data.find(b"\nFrom ", max(look - 1, 0))
        while at >= 0:
            before = self._data[max(at - 2, 0) : at + 1]
            first = not self._lost and before in {b"\n", b"\r\n"}
            if (first or before.endswith((b"\n\n", b"\n\r\n"))) and self._separates(at + 1):
                return at + 1
            at = self._data.find(b"\nFrom ", at + 1)
        return None

    def _separates(self, at: int) -> bool:
        """Whether the line here is a separator; not yet when the line after it is not in memory."""
        line, newline, after = self._data[at : at + _AHEAD].partition(b"\n")
        if not newline or (len(self._data) - at < _AHEAD and not self._ended):
            return False
        line = line.rstrip()
        return bool(_SEPARATOR.match(line) and _HEADER.match(after)) and (self._patches or _PATCH_DATE not in line)


def _begins_with_patch(stream: Stream) -> bool:
    """Whether the file's first line is one of format-patch."""
    stream.seek(0)
    return _PATCH_DATE in stream.readline(_AHEAD)
