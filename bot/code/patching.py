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
    texts = [line.text for line in lines]
    done, moved = 0, 0
    for hunk in hunks:
        old = [line[1:] for line in hunk.lines if line[0] != "+"]
        wanted = hunk.old_start - bool(hunk.old_count) + moved
        place, skipped, dropped = _place(texts, old, wanted, done, _allowed(hunk) if fuzz else (0, 0))
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
    lines: Sequence[str], old: Sequence[str], wanted: int, first: int, allowed: tuple[int, int]
) -> tuple[int, int, int]:
    """Where the old lines of a hunk stand, nearest to where they are wanted; and how many to skip at each end."""
    for fuzz in range(max(allowed) + 1):
        skipped, dropped = min(fuzz, allowed[0]), min(fuzz, allowed[1])
        needle = old[skipped : len(old) - dropped]
        least = max(first - skipped, wanted - _FAR, 0)
        most = min(len(lines) - len(old) + dropped, wanted + _FAR)
        places = [start - skipped for start in _starts(lines, needle, least + skipped, most + skipped)]
        if places:
            return min(places, key=lambda place: (abs(place - wanted), place)), skipped, dropped
        if not old:
            break
    raise MisfitError(f"no place for the hunk at line {wanted + 1}")


def _starts(lines: Sequence[str], needle: Sequence[str], least: int, most: int) -> Iterator[int]:
    """The numbers from ``least`` to ``most`` at which all lines of ``needle`` follow one another."""
    if not needle:
        yield from range(least, most + 1)
        return
    size, start = len(needle), least
    while start <= most:
        try:
            start = lines.index(needle[0], start, most + 1)
        except ValueError:
            return
        if lines[start : start + size] == needle:
            yield start
        start += 1
