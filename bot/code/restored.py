"""A file put together from the hunks of a series and from another state of it, which fills what they do not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.code.alignment import Run, openings, places, without
from bot.code.fragment import opened, runs_of, shown
from bot.code.shown_lines import ShownLines
from bot.model import Image


def restored(known: Sequence[ShownLines], base: Sequence[str]) -> Callable[[int, str], Image] | None:
    """The file in each of its states: ``image(number of the state, path)``.

    Hunks that have no certain place in ``base`` are shown as fragments below it.  None when that is all of them.
    """
    states = [[tuple(state.lines[number].text for number in run) for run in runs_of(state.lines)] for state in known]
    if any(len(runs) != len(states[0]) for runs in states):
        return None
    runs = zip(runs_of(known[0].lines), states[0], strict=True)
    names = [opened(known[0].headers, run, lines) for run, lines in runs]
    found = places(base, [Run(name, forms) for name, *forms in zip(names, states[0], states[-1], strict=True)])
    if not any(found):
        return None
    parted = {name for name, place in zip(names, found, strict=True) if place is None}
    begun = openings(base, parted)
    drawn = [_Drawn(state, found, begun) for state in known]
    kept = [place for place in found if place is not None]
    rest = without(base, (lines for state in drawn for lines in state.shown), parted, kept)
    return lambda number, path: drawn[number].image(path, rest)


class _Drawn:
    """One state of a file: what hunks show of it, the places in another state that some of that stands for.

    ``begun`` is how functions begin of which nothing has a place: as in the other state.
    """

    def __init__(self, state: ShownLines, found: Sequence[range | None], begun: Mapping[str, tuple[str, ...]]) -> None:
        runs = list(zip(runs_of(state.lines), found, strict=True))
        self.placed = [(run, [state.lines[n].text for n in run], place) for run, place in runs if place is not None]
        loose = {number: state.lines[number] for run, place in runs if place is None for number in run}
        self.loose = shown(state.headers, loose, "", begun)

    @property
    def shown(self) -> Iterator[list[str]]:
        """The lines of each hunk."""
        yield from (lines for _, lines, _ in self.placed)
        yield self.loose.text.split("\n")

    def image(self, path: str, base: Sequence[str]) -> Image:
        """The hunks at their places in ``base``, and those without a place below it."""
        text: list[str] = []
        numbers: list[int] = []
        done = last = 0
        for run, lines, place in self.placed:
            # Lines between two hunks are counted from the upper one, as in the file that the author has.
            text += [*base[done : place.start], *lines]
            numbers += [min(last + n, run.start - 1) for n in range(1, place.start - done + 1)]
            numbers += run
            done, last = place.stop, run.stop - 1
        text += base[done:]
        numbers += range(last + 1, last + 1 + len(base) - done)
        whole = "".join(f"{line}\n" for line in text)
        return Image(path, whole + self.loose.text, whole=False, lines=(*numbers, *self.loose.lines))
