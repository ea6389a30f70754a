"""Where in a kernel tree to look for what a diff touches, the nearest files first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from pathlib import PurePosixPath

_SOURCE = (".c", ".h")
# Names of folders that tell a place and not a subsystem.
_NO_NAMES = frozenset({"asm", "boot", "configs", "core", "include", "kernel", "lib", "linux", "mm", "net", "uapi"})
_MAX_KNOWN = 32
# They mention kernel names without being part of the kernel.
_ASIDE = frozenset({"Documentation", "samples", "scripts", "tools"})
_DEEP = frozenset({"arch", "drivers", "sound"})  # three levels name a subsystem there, elsewhere two do


class Scope:
    """The source files of one state of a tree."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = tuple(path for path in paths if is_source(path))
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        return self._paths

    def nearest(self, near: tuple[str, ...]) -> tuple[str, ...]:
        """As the function; remembered, since a series asks more than once."""
        if near not in self._known:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            self._known[near] = tuple(nearest(self._paths, near))
        return self._known[near]


def chosen(paths: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The source files that match a pattern; ``*`` stands for any letters, / too."""
    wanted = re.compile("|".join(translate(pattern) for pattern in patterns))
    return sorted(path for path in paths if is_source(path) and wanted.match(path))


def is_inside(path: str) -> bool:
    """Whether a path that a diff names can be one of a tree's: no way up or out, no line break."""
    return bool(path) and "\n" not in path and "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def is_source(path: str) -> bool:
    return path.endswith(_SOURCE)


def nearest(paths: Iterable[str], near: Sequence[str]) -> list[str]:
    """The source files to search, the nearest to the directories ``near`` first; all of them when it is empty.

    Near are the directories themselves, their subsystems, the headers in include/, and what bears the subsystem's name
    elsewhere: for virt/kvm that is arch/*/kvm and arch/*/include/asm/kvm_host.h.
    """
    places = tuple(PurePosixPath(place).parts for place in near)
    subsystems = {_subsystem(place) for place in places if place}
    names = {subsystem[-1] for subsystem in subsystems if len(subsystem) > 1} - _NO_NAMES
    aside = _ASIDE - {place[0] for place in places if place}
    ranked: list[tuple[int, int, str]] = []
    for path in paths:
        parts = tuple(path.split("/"))
        if not is_source(path) or parts[0] in aside:
            continue
        rank = _rank(parts, places, subsystems, names)
        if rank is not None:
            ranked.append((rank, -_shared(parts, places), path))
    return [path for _, _, path in sorted(ranked)]


def _rank(
    parts: tuple[str, ...],
    places: Sequence[tuple[str, ...]],
    subsystems: set[tuple[str, ...]],
    names: set[str],
) -> int | None:
    folder = parts[:-1]
    if folder in places:
        return 0
    if any(parts[: len(subsystem)] == subsystem for subsystem in subsystems):
        return 1
    if any(name in folder or parts[-1].startswith(name) for name in names):
        return 2
    if parts[0] == "include" or not places:
        return 3
    return None


def _subsystem(folder: tuple[str, ...]) -> tuple[str, ...]:
    return folder[: 3 if folder[0] in _DEEP else 2]


def _shared(parts: tuple[str, ...], places: Sequence[tuple[str, ...]]) -> int:
    """How many leading directories a file shares with the nearest place."""
    best = 0
    for place in places:
        shared = next((n for n, (a, b) in enumerate(zip(parts, place, strict=False)) if a != b), len(place))
        best = max(best, shared)
    return best
