"""C text under edit: comments, strings and directives hidden, lengths and newlines kept, parentheses paired."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

# A form feed is blank to every pattern of the recipe, and is told apart from what the recipe itself blanked.
_HIDE = bytes(10 if byte == 10 else 12 for byte in range(256))
_BLANK = bytes(10 if byte == 10 else 32 for byte in range(256))
_QUOTES = b"\"'"

# In C outside comments and strings a '#' starts a directive.  No pattern can back up: a 5 MB line takes one walk.
_HIDDEN = re.compile(
    rb"""//(?:[^\\\n]|\\[\s\S])*+ | /\*(?s:.*?)(?:\*/|\Z)
    | "(?:[^"\\\n]|\\[\s\S])*+"?+ | '(?:[^'\\\n]|\\[\s\S])*+'?+
    | \#(?:[^\n\\/]|\\[\s\S]|/\*(?s:.*?)(?:\*/|\Z)|/)*+""",
    re.VERBOSE,
)
_LEAST_PIECE = 200  # bytes; a text of nothing but braces would fall into millions
_BLOCK_COMMENT = re.compile(rb"/\*(?s:.*?)(?:\*/|\Z)")
_PARENTHESIS = re.compile(rb"[()]|^\}", re.MULTILINE)
_SEPARATOR = re.compile(rb"[(),]")
_MARGIN_BRACE = re.compile(rb"^\}[^\n]*+\n", re.MULTILINE)
_VISIBLE = re.compile(rb"\S")


class MaskedText:
    """``work`` is edited in place, its length never changes; ``finish`` gives it back with the hidden parts shown."""

    def __init__(self, original: bytes, work: bytes | bytearray, hidden: Sequence[tuple[int, int]]) -> None:
        self.original = original
        self.work = bytearray(work)
        self._hidden = hidden
        self._closing: dict[int, int] = {}
        self._opening: dict[int, int] = {}

    @classmethod
    def of(cls, original: bytes) -> MaskedText:
        """A text with its comments, strings and directives hidden."""
        work = bytearray(original)
        hidden: list[tuple[int, int]] = []
        for found in _HIDDEN.finditer(original):
            start, end = found.span()
            opened = _left_open(original, start, end)
            if opened < end:
                # The lexer would look for the end of an open comment from every byte of it.
                work[opened:end] = original[opened:end].translate(_BLANK)
                end = opened
            inside = start + (original[start] in _QUOTES)
            work[inside:end] = original[inside:end].translate(_HIDE)
            hidden.append((start, end))
        return cls(original, work, hidden)

    @property
    def directives(self) -> Iterator[tuple[int, int]]:
        """Where the directives stand."""
        return ((start, end) for start, end in self._hidden if self.original[start] == ord("#"))

    def cuts(self) -> Iterator[int]:
        """The places behind each ``}`` in column 0 that closes all that is open, and the end; none makes a crumb."""
        start = depth = counted = 0
        for found in _MARGIN_BRACE.finditer(self.work):
            stop = found.end()
            depth += self.work.count(b"{", counted, stop) - self.work.count(b"}", counted, stop)
            counted = stop
            if depth == 0 and stop - start >= _LEAST_PIECE and not self._hides(stop):
                yield stop
                start = stop
        if start < len(self.work):
            yield len(self.work)

    def pieces(self, cuts: Iterable[int]) -> Iterator[MaskedText]:
        """The text between the cuts."""
        start, hidden = 0, 0
        for stop in cuts:
            inside = []
            while hidden < len(self._hidden) and self._hidden[hidden][0] < stop:
                first, last = self._hidden[hidden]
                inside.append((first - start, last - start))
                hidden += 1
            yield MaskedText(self.original[start:stop], self.work[start:stop], inside)
            start = stop

    def _hides(self, place: int) -> bool:
        """Whether a place is inside of what is hidden."""
        last = bisect_left(self._hidden, (place, 0)) - 1
        return last >= 0 and self._hidden[last][1] > place

    def pair_parentheses(self) -> None:
        """Match every parenthesis; a ``}`` in column 0 ends a function, so nothing stays open beyond it."""
        opened: list[int] = []
        for found in _PARENTHESIS.finditer(self.work):
            byte = found[0]
            if byte == b"(":
                opened.append(found.start())
            elif byte == b"}":
                opened.clear()
            elif opened:
                self._closing[opened.pop()] = found.start()
        self._opening = {close: opening for opening, close in self._closing.items()}

    def closing(self, opening: int) -> int | None:
        return self._closing.get(opening)

    def opening(self, closing: int) -> int | None:
        return self._opening.get(closing)

    def commas(self, opening: int) -> Iterator[int]:
        """Places of the commas between the arguments of the call whose ``(`` is at ``opening``."""
        place, end = opening + 1, self._closing.get(opening, opening)
        while found := _SEPARATOR.search(self.work, place, end):
            place = found.end()
            if found[0] == b",":
                yield found.start()
            elif found[0] == b"(":
                place = self._closing.get(found.start(), found.start()) + 1

    def next_visible(self, place: int) -> int:
        """Place of the next byte that is not blank, the length of the text when there is none."""
        found = _VISIBLE.search(self.work, place)
        return found.start() if found else len(self.work)

    def last_visible(self, place: int) -> int:
        """Place of the last byte before ``place`` that is not blank, -1 when there is none."""
        step = 32
        while place > 0:
            start = max(0, place - step)
            rest = len(self.work[start:place].rstrip())
            if rest:
                return start + rest - 1
            place, step = start, step * 2
        return -1

    def at(self, place: int) -> bytes:
        """The one byte at a place, b"" beyond the end."""
        return bytes(self.work[place : place + 1])

    def blank(self, start: int, end: int) -> None:
        self.work[start:end] = self.work[start:end].translate(_BLANK)

    def write(self, place: int, text: bytes) -> None:
        self.work[place : place + len(text)] = text

    def finish(self) -> bytes:
        for start, end in self._hidden:
            if self.work[start] in b"\f\"'":
                self.work[start:end] = self.original[start:end]
        return bytes(self.work)


def _left_open(text: bytes, start: int, end: int) -> int:
    """Where the comment begins that nothing closes before the text ends; ``end`` when there is none."""
    if end < len(text) or text[start] in _QUOTES:
        return end
    last = next((found for found in reversed(list(_BLOCK_COMMENT.finditer(text, start, end)))), None)
    return last.start() if last is not None and not last[0].endswith(b"*/", 2) else end
