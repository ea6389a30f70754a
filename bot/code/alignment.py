"""Where lines that a diff shows stand in another state of their file, by how like its lines are."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

_WORDS = re.compile(r"\w++|->|[^\w\s]")
_NAME = re.compile(r"\b(\w++)[ \t]*+\(")
_DECLARATION = re.compile(r"\t(?!return\b|goto\b|else\b)(?:\w++[ \t]++)++[*\w][\w \t*,\[\]]*+(?=[;=])")
_LONG = 64  # words of a line that are looked at
_SIGNIFICANT = 3  # words in a line that says something of its own
_MOST = 12  # what one line counts at most
_LIKE = 0.6  # of their words that two lines share to stand for one another
_COMMON = 40  # places at which a line says nothing of where it is
_NEAR = 40  # lines that a run may have grown by, on either side
_ENOUGH = 0.5  # of what a run says that its place must say too
_CERTAIN = 0.95  # so much of it, and no other state of the run need be tried
_HEADER = 8  # lines of the longest header
_PAIRS = 2_000_000  # of lines that are compared for one file
_SKIPPED = 0.5  # what a line of the base costs that stands for nothing

_Line = tuple[tuple[str, ...], frozenset[str]]
"""The words of a line, in order and as a set."""


@dataclass(frozen=True, slots=True)
class Run:
    """Lines that follow one another: the function that they begin in, or "", and what they are in each state."""

    function: str
    states: Sequence[Sequence[str]]


def places(base: Sequence[str], runs: Sequence[Run]) -> list[range | None]:
    """The lines of ``base`` that each run stands for, one behind the other; None for a run that has no certain place.

    A run stands where one of its states is most like the lines: ``base`` may have the change already.  Runs of one
    function have places together or not at all.
    """
    told = _Told(base)
    found: list[range | None] = []
    first = 0
    for run in runs:
        place = told.place(run, first)
        found.append(place)
        first = place.stop if place is not None else first
    return _together(runs, found)


def _together(runs: Sequence[Run], found: Sequence[range | None]) -> list[range | None]:
    """The places, without those of runs that show lines of a function of which others have none."""
    shown = [{run.function, *(name for lines in run.states for _, name in _headers(lines))} - {""} for run in runs]
    kept = list(found)
    while lost := {name for names, place in zip(shown, kept, strict=True) if place is None for name in names}:
        left = [None if names & lost else place for names, place in zip(shown, kept, strict=True)]
        if left == kept:
            break
        kept = left
    return kept


def without(
    base: Sequence[str], shown: Iterable[Sequence[str]], parted: Iterable[str], kept: Sequence[range]
) -> list[str]:
    """``base`` with empty lines for the functions that ``shown`` defines and those of the names ``parted``.

    Those that reach into ``kept`` stay.  Another state of the file may have what a patch brings already, whole or in
    part: it is to be there once.
    """
    names = {name for lines in shown for name, _ in _bodies(lines)} | set(parted)
    result = list(base)
    for name, body in _bodies(base):
        if name in names and not any(place.start < body.stop and body.start < place.stop for place in kept):
            result[body.start : body.stop] = [""] * len(body)
    return result


def openings(base: Sequence[str], names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """How the functions of these names begin: header, brace, and what they declare, without the values."""
    return {
        name: (*header, *_declared(base[body.start + len(header) : body.stop]))
        for name, body in _bodies(base)
        if name in names and (header := _header(base, body))
    }


def _header(base: Sequence[str], body: range) -> tuple[str, ...]:
    """The lines from the name of a function to the brace that opens its body."""
    brace = next((number for number in body if base[number].startswith("{")), body.stop)
    return tuple(base[body.start : brace + 1]) if brace - body.start < _HEADER else ()


def _declared(lines: Sequence[str]) -> Iterator[str]:
    """The declarations that a body begins with: in the kernel an empty line ends them."""
    statement = ""
    for line in lines:
        if not line.strip():
            return
        statement += line
        if statement.endswith(";"):
            found = _DECLARATION.match(statement)
            if found:
                yield f"{found[0].rstrip()};"
            statement = ""


class _Told:
    """A state of a file, with what its lines say."""

    def __init__(self, base: Sequence[str]) -> None:
        self.base = base
        self.pairs = _PAIRS
        self.bodies: dict[str, list[range]] = {}
        for name, body in _bodies(base):
            self.bodies.setdefault(name, []).append(body)

    @cached_property
    def at(self) -> dict[tuple[str, ...], list[int]]:
        """Where the lines stand that say something of their own."""
        found: dict[tuple[str, ...], list[int]] = {}
        for number, line in enumerate(self.base):
            words, _ = _read(line)
            if len(words) >= _SIGNIFICANT:
                found.setdefault(words, []).append(number)
        return found

    def place(self, run: Run, first: int) -> range | None:
        """Where a run stands, from line ``first`` on."""
        best: range | None = None
        like: Sequence[str] = ()
        most = _ENOUGH
        for lines in dict.fromkeys(map(tuple, run.states)):
            wanted = [_read(line) for line in lines]
            total = sum(_weight(words) for words, _ in wanted) or 1
            for window in self._windows(run.function, wanted, first):
                self.pairs -= len(window) * len(wanted)
                if self.pairs < 0:
                    return best and self._braced(best, like)
                worth, place = _fitted([_read(line) for line in self.base[window.start : window.stop]], wanted)
                if len(place) and (worth / total > most or (best is None and worth / total == most)):
                    best, most = range(window.start + place.start, window.start + place.stop), worth / total
                    like = lines
            if most > _CERTAIN:
                break
        return best and self._braced(best, like)

    def _braced(self, place: range, lines: Sequence[str]) -> range:
        """A place with the braces of the function that the lines have: what lies between is to be replaced, too."""
        start, stop = place.start, place.stop
        if self._count("{", place) < sum(line.startswith("{") for line in lines):
            start = next(self._braces("{", "}", range(start - 1, max(start - _NEAR, 0) - 1, -1)), start)
        if self._count("}", place) < sum(line.startswith("}") for line in lines):
            stop = next(
                (found + 1 for found in self._braces("}", "{", range(stop, min(stop + _NEAR, len(self.base))))), stop
            )
        return range(start, stop)

    def _count(self, brace: str, place: range) -> int:
        return sum(self.base[number].startswith(brace) for number in place)

    def _braces(self, brace: str, other: str, numbers: range) -> Iterator[int]:
        """The lines that begin with a brace, as far as the first that begins with the other one."""
        for number in numbers:
            if self.base[number].startswith(other):
                return
            if self.base[number].startswith(brace):
                yield number

    def _windows(self, function: str, wanted: Sequence[_Line], first: int) -> Iterator[range]:
        """Where to look: in the function that is named, else around the place that most lines speak for."""
        if function:
            for body in self.bodies.get(function, ()):
                if body.stop > first:
                    yield range(max(body.start, first), min(body.stop + len(wanted) + _NEAR, len(self.base)))
            return
        votes: Counter[int] = Counter()
        for row, (words, _) in enumerate(wanted):
            found = self.at.get(words, ())
            for place in found if len(found) <= _COMMON else ():
                if place >= first:
                    votes[(place - row) // _NEAR] += 1
        if votes:
            start = votes.most_common(1)[0][0] * _NEAR
            yield range(max(start - _NEAR, first), min(start + len(wanted) + 2 * _NEAR, len(self.base)))


def _bodies(base: Sequence[str]) -> Iterator[tuple[str, range]]:
    """(name, lines) of what looks like a function: from a header in column 0 to a brace there."""
    ends = [number for number, line in enumerate(base) if line.startswith("}")]
    headers = list(_headers(base))
    starts = [*(start for start, _ in headers[1:]), len(base)]
    for (start, name), following in zip(headers, starts, strict=bool(headers)):
        place = bisect_left(ends, start)
        if place < len(ends) and ends[place] < following:
            yield name, range(start, ends[place] + 1)


def _headers(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(number of the line, name) of what looks like the header of a function, and is no prototype."""
    for number, line in enumerate(lines):
        if (line[:1].isalpha() or line[:1] == "_") and (found := _NAME.search(line)):
            ends = (text for text in lines[number : number + _HEADER] if text.rstrip().endswith((";", "{", "}", ")")))
            if not next(ends, "").rstrip().endswith(";"):
                yield number, found[1]


@lru_cache(maxsize=4096)  # the states of a run have most of their lines in common
def _read(line: str) -> _Line:
    words = tuple(_WORDS.findall(line)[:_LONG])
    return words, frozenset(words)


def _weight(words: Sequence[str]) -> int:
    """How much a line says."""
    return min(len(words), _MOST) if len(words) >= _SIGNIFICANT else len(words) > 0


def _worth(one: _Line, other: _Line) -> float:
    """How much two lines say together; nothing when they are not like one another."""
    if one[0] == other[0]:
        return _weight(one[0])
    if len(one[0]) < _SIGNIFICANT or len(other[0]) < _SIGNIFICANT:
        return 0.0
    if min(len(one[1]), len(other[1])) < _LIKE * max(len(one[1]), len(other[1])):
        return 0.0  # they cannot share enough
    both = len(one[1] & other[1])
    shared = both / (len(one[1]) + len(other[1]) - both)
    return shared * _weight(one[0]) / 2 if shared >= _LIKE else 0.0


def _fitted(base: Sequence[_Line], wanted: Sequence[_Line]) -> tuple[float, range]:
    """The best alignment of all of ``wanted`` with a stretch of ``base``: what it is worth, and the stretch.

    Lines of the stretch that stand for nothing cost a little, so that it does not reach for a common line far away.
    """
    width = len(base) + 1
    above: list[tuple[float, int]] = [(0.0, column) for column in range(width)]  # (worth, where the stretch begins)
    for line in wanted:
        if not line[0]:
            continue  # it says nothing anywhere
        row: list[tuple[float, int]] = [above[0]]
        worths = [_worth(line, other) for other in base]
        for column in range(1, width):
            best = above[column]  # the line stands for nothing here
            worth = worths[column - 1]
            if worth and above[column - 1][0] + worth > best[0]:
                before = above[column - 1]
                begins = before[1] if before[0] > 0 else column - 1
                best = (before[0] + worth, begins)
            left = row[column - 1]
            if left[0] - _SKIPPED > best[0]:
                best = (left[0] - _SKIPPED, left[1])
            row.append(best)
        above = row
    column = max(range(width), key=lambda place: (above[place][0], -place))
    return above[column][0], range(above[column][1], column)
