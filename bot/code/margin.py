"""The notation of rule examples: a patch with ' ', '+' and '-' in its margin, turned into worlds and marks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.model import FileChange, FileDiff, Hunk

MARK = "// <-- warns"
_FILE = re.compile(r"=== (\S++)$")
_PATH = "example.c"


@dataclass(frozen=True, slots=True)
class Drawn:
    """An example as the file diffs of its patches, the whole files before them, and the (path, line) that must warn.

    Lines of marks are those of the last state.
    """

    patches: tuple[tuple[FileDiff, ...], ...]
    before: dict[str, str]
    marks: frozenset[tuple[str, int]]


def drawn(text: str) -> Drawn:
    """Read an example: ``=== path`` opens a file (example.c until then), every other line has its margin.

    A mark at a line says that the line must be reported.  Raises ValueError for a line without a margin.
    """
    files: dict[str, list[str]] = {}
    path = _PATH
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        if found := _FILE.match(line):
            path = found[1]
        elif line[:1] not in {"", " ", "+", "-"}:
            raise ValueError(f"line {number} of an example has no margin of ' ', '+' or '-': {line!r}")
        else:
            files.setdefault(path, []).append(line or " ")
    diffs, before, marks = [], {}, set()
    for path, lines in files.items():
        clean = [line.split(MARK)[0].rstrip() if MARK in line else line for line in lines]
        before[path] = "".join(f"{line[1:]}\n" for line in clean if line[0] != "+")
        after = [line for line in lines if line[0] != "-"]
        marks |= {(path, number) for number, line in enumerate(after, start=1) if MARK in line}
        if any(line[0] != " " for line in clean):
            diffs.append(_diff(path, clean))
    return Drawn((tuple(diffs),), before, frozenset(marks))


def _diff(path: str, lines: list[str]) -> FileDiff:
    old = sum(line[0] != "+" for line in lines)
    new = sum(line[0] != "-" for line in lines)
    hunk = Hunk(min(old, 1), old, min(new, 1), new, "", tuple(lines))
    if not old:
        return FileDiff(None, path, FileChange.ADDED, (hunk,))
    return FileDiff(path, path, hunks=(hunk,))
