"""One branch of each #if that cuts through code: a grammar cannot read two halves of an if at once.

Between declarations at file scope every branch stays, because a tree holds both.  Inside a body, and where the branches
leave a different number of braces open, the first branch stays (of ``#if 0`` the second) and the rest is blanked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.code.masking import MaskedText

_CONDITIONAL = re.compile(rb"#[ \t]*+(if|ifdef|ifndef|elif|elifdef|elifndef|else|endif)\b[ \t]*+([^\n]{0,40})")
_NEVER = re.compile(rb"0\s*$|0\s*/|(?:defined\W*)?__cplusplus|__GENKSYMS__")


@dataclass(slots=True)
class _Conditional:
    start: int
    end: int
    depth: int
    cuts: bool  # stands inside a body or an unfinished statement
    taken: bool  # the branch to keep has been seen
    outer_skips: bool


class _Walk:
    def __init__(self, text: MaskedText) -> None:
        self.text = text
        self.depth = 0
        self.finished = True  # the last visible byte ends a statement
        self.skips = False
        self.open: list[_Conditional] = []

    def segment(self, start: int, end: int) -> None:
        """Code between two directives: blanked in a skipped branch, else its braces count."""
        if self.skips:
            self.text.blank(start, end)
            return
        piece = bytes(self.text.work[start:end])
        closed = piece.rfind(b"\n}")  # a brace in column 0 ends a definition, whatever was counted before
        if closed >= 0:
            self.depth, counted = 0, piece[closed + 2 :]
        else:
            counted = piece
        self.depth = max(0, self.depth + counted.count(b"{") - counted.count(b"}"))
        if last := piece.rstrip()[-1:]:
            self.finished = last in b";})"

    def begin(self, start: int, end: int, never: bool) -> None:
        cuts = self.depth > 0 or not self.finished
        self.open.append(_Conditional(start, end, self.depth, cuts, not never, self.skips))
        self.skips = self.skips or never
        if cuts:
            self.text.blank(start, end)

    def middle(self, start: int, end: int) -> None:
        here = self.open[-1]
        self._notice_cut(here)
        if here.taken and here.cuts:
            self.skips = True
        elif not here.taken:
            self.skips, here.taken = here.outer_skips, True
        if here.cuts:
            self.text.blank(start, end)

    def finish(self, start: int, end: int) -> None:
        here = self.open.pop()
        self._notice_cut(here)
        self.skips = here.outer_skips
        if here.cuts:
            self.text.blank(start, end)

    def _notice_cut(self, here: _Conditional) -> None:
        if not here.cuts and not self.skips and self.depth != here.depth:
            here.cuts = True
            self.text.blank(here.start, here.end)


def uncover(text: MaskedText, cuts: Sequence[int]) -> None:
    """Blank the directives of each conditional that stands around a cut: no piece holds it whole."""
    open_: list[list[tuple[int, int]]] = []
    for start, end in text.directives:
        found = _CONDITIONAL.match(text.original, start, end)
        if not found or text.at(start) == b" ":  # it is blank already
            continue
        if found[1].startswith(b"if"):
            open_.append([])
        if open_:
            open_[-1].append((start, end))
        if open_ and found[1] == b"endif":
            parts = open_.pop()
            if bisect_right(cuts, parts[0][0]) != bisect_right(cuts, start):
                _blank(text, parts)
    for parts in open_:
        _blank(text, parts)


def _blank(text: MaskedText, places: Iterable[tuple[int, int]]) -> None:
    for start, end in places:
        text.blank(start, end)


def keep_first_branches(text: MaskedText) -> None:
    """Blank the branches, and the directives, that would cut a body or a statement in two."""
    walk, place = _Walk(text), 0
    for start, end in text.directives:
        found = _CONDITIONAL.match(text.original, start, end)
        if not found:
            continue
        walk.segment(place, start)
        place = end
        if found[1].startswith(b"if"):
            walk.begin(start, end, found[1] != b"ifndef" and bool(_NEVER.match(found[2])))
        elif walk.open and found[1] == b"endif":
            walk.finish(start, end)
        elif walk.open:
            walk.middle(start, end)
    walk.segment(place, len(text.work))
