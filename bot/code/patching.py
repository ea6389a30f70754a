"""Put hunks on the lines of a file, or take them off again, at the place where they fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bot.model import Hunk

_FAR = 4000  # lines a hunk may have moved
_FUZZ = 2  # context lines that may differ at each end of a hunk, as patch(1) allows


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file and the number of the patch that brought it, 0 for one of the base."""

    text: str
    patch: int = 0


class MisfitError(Exception):
    """A hunk fits nowhere in the file; the message says which."""


def lines_of(text: str) -> tuple[Line, ...]:
    """The lines of a base file, without their ends."""
    return tuple(Line(line) for line in text.removesuffix("\n").split("\n")) if text else ()


def applied(lines: Sequence[Line], hunks: Sequence[Hunk], patch: int, *, fuzz: bool = False) -> tuple[Line, ...]:
    """The lines after a patch.  Hunks may have moved; with ``fuzz`` their outer context may differ too.

    Raises MisfitError.
    """
    result: list[Line] = []
    done, moved = 0, 0
    for hunk in hunks:
        old = [line[1:] for line in hunk.lines if line[0] != "+"]
        wanted = hunk.old_start - bool(hunk.old_count) + moved
        place, skipped, dropped = _place(lines, old, wanted, done, _allowed(hunk) if fuzz else (0, 0))
        result += lines[done : place + skipped]
        done = place + skipped
        for line in hunk.lines[skipped : len(hunk.lines) - dropped]:
            if line[0] == "+":
                result.append(Line(line[1:], patch))
                continue
            if line[0] == " ":
                result.append(lines[done])
            done += 1
        moved = place - (hunk.old_start - bool(hunk.old_count))
    return (*result, *lines[done:])


def unapplied(lines: Sequence[Line], hunks: Sequence[Hunk], *, fuzz: bool = False) -> tuple[Line, ...]:
    """The lines before a patch that the file already has.  Raises MisfitError."""
    return applied(lines, [turned(hunk) for hunk in hunks], 0, fuzz=fuzz)


def turned(hunk: Hunk) -> Hunk:
    """The hunk that undoes a hunk; its lines are in no conventional order."""
    swap = {"+": "-", "-": "+"}
    lines = tuple(swap.get(line[0], " ") + line[1:] for line in hunk.lines)
    return Hunk(hunk.new_start, hunk.new_count, hunk.old_start, hunk.old_count, hunk.section, lines)


def _allowed(hunk: Hunk) -> tuple[int, int]:
    """How many lines of context may be passed over at the start and at the end of a hunk."""

    def context(lines: Iterator[str]) -> int:
        return sum(1 for _ in takewhile(lambda line: line[0] == " ", lines))

    return min(_FUZZ, context(iter(hunk.lines))), min(_FUZZ, context(reversed(hunk.lines)))


def _place(
    lines: Sequence[Line], old: Sequence[str], wanted: int, first: int, allowed: tuple[int, int]
) -> tuple[int, int, int]:
    """Where the old lines of a hunk stand, nearest to where they are wanted; and how many to skip at each end."""
    for fuzz in range(max(allowed) + 1):
        skipped, dropped = min(fuzz, allowed[0]), min(fuzz, allowed[1])
        needle = old[skipped : len(old) - dropped]
        for place in _nearest(wanted, max(first - skipped, 0), len(lines) - len(old) + dropped):
            start = place + skipped
            if start >= first and all(lines[start + n].text == text for n, text in enumerate(needle)):
                return place, skipped, dropped
        if not old:
            break
    raise MisfitError(f"no place for the hunk at line {wanted + 1}")


def _nearest(wanted: int, first: int, last: int) -> Iterator[int]:
    """Numbers from first to last, the nearest to wanted first."""
    for distance in range(min(max(wanted - first, last - wanted), _FAR) + 1):
        if first <= wanted - distance <= last:
            yield wanted - distance
        if distance and first <= wanted + distance <= last:
            yield wanted + distance
