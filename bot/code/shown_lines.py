"""What the hunks of a series show of one file: its lines by number, before the series and after each change."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.code.fragment import Sparse, sections_of
from bot.code.patching import Line
from bot.model import FileDiff, Hunk


@dataclass(frozen=True, slots=True)
class ShownLines:
    """What hunks show of one state of a file: lines by number, and what is open at the first lines of hunks."""

    lines: Sparse
    headers: Mapping[int, str]

    @property
    def brought(self) -> dict[int, int]:
        """The number of the patch that brought a line, for all lines that are new."""
        return {number: line.patch for number, line in self.lines.items() if line.patch}


def shown_lines(changes: Sequence[tuple[int, FileDiff]]) -> list[ShownLines]:
    """What the hunks show of a file before, and after each of its changes: (number of the patch, its diff).

    What a later patch shows of the base was there before too, so the first state gathers the old lines of all patches.
    """
    sparse: dict[int, Line] = {}
    headers: dict[int, str] = {}
    moves = [_Moves(diff.hunks) for _, diff in changes]
    for place, (_, diff) in enumerate(changes):
        earlier = moves[:place]
        for number, text in _old_lines(diff.hunks):
            base = _base_line(number, earlier)
            if base:
                sparse.setdefault(base, Line(text))
        for number, section in sections_of(diff.hunks).items():
            base = _base_line(number, earlier)
            if base:
                headers.setdefault(base, section)
    found = [ShownLines(sparse, headers)]
    for moved, (number, diff) in zip(moves, changes, strict=True):
        sparse = _moved_on(sparse, moved, diff.hunks, number)
        headers = {moved.new(line): section for line, section in headers.items()}
        headers = {**headers, **sections_of(diff.hunks, after=True)}
        found.append(ShownLines(sparse, headers))
    return found


def _old_lines(hunks: Sequence[Hunk]) -> Iterator[tuple[int, str]]:
    for hunk in hunks:
        number = hunk.old_start
        for line in hunk.lines:
            if line[0] != "+":
                yield number, line[1:]
                number += 1


def _base_line(number: int, earlier: Sequence[_Moves]) -> int:
    """The line of the base that became line ``number`` after the earlier patches, 0 for one that they brought."""
    for moves in reversed(earlier):
        number = moves.old(number)
        if not number:
            return 0
    return number


class _Moves:
    """Where the lines of a file are after some hunks, and where they were before."""

    def __init__(self, hunks: Sequence[Hunk]) -> None:
        self.after: dict[int, int] = {}  # lines in hunks; a removed one is where its successor is
        self.before: dict[int, int] = {}  # 0 for an added one
        self._old_ends, self._old_shifts = [0], [0]  # lines from which on, and by how many they are shifted
        self._new_ends, self._new_shifts = [0], [0]
        for hunk in hunks:
            # A hunk without lines on one side counts from the line above.
            old, new = hunk.old_start + (not hunk.old_count), hunk.new_start + (not hunk.new_count)
            for line in hunk.lines:
                if line[0] == "+":
                    self.before[new] = 0
                else:
                    self.after[old] = new
                    if line[0] == " ":
                        self.before[new] = old
                old += line[0] != "+"
                new += line[0] != "-"
            self._old_ends.append(old)
            self._old_shifts.append(new - old)
            self._new_ends.append(new)
            self._new_shifts.append(old - new)

    def new(self, number: int) -> int:
        found = self.after.get(number)
        if found is not None:
            return found
        found = number + self._old_shifts[bisect_right(self._old_ends, number) - 1]
        return found if found > 1 else 1  # asked for each line of each patch: max() takes thrice as long

    def old(self, number: int) -> int:
        found = self.before.get(number)
        if found is not None:
            return found
        found = number + self._new_shifts[bisect_right(self._new_ends, number) - 1]
        return found if found > 1 else 1


def _moved_on(sparse: Sparse, moves: _Moves, hunks: Sequence[Hunk], patch: int) -> dict[int, Line]:
    """The known lines after a patch."""
    kept = {new: old for old, new in moves.after.items() if moves.before.get(new) == old}
    removed = moves.after.keys() - kept.values()
    result = {moves.new(number): line for number, line in sparse.items() if number not in removed}
    for hunk in hunks:
        number = hunk.new_start
        for line in hunk.lines:
            if line[0] == "+":
                result[number] = Line(line[1:], patch)
            number += line[0] != "-"
    return result
