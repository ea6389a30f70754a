"""Where in a kernel tree to look for what a diff touches, the nearest files first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from itertools import takewhile
from pathlib import PurePosixPath

_SOURCE = (".c", ".h")
# Names of folders that tell a place and not a subsystem.
_NO_NAMES = frozenset({"asm", "boot", "configs", "core", "include", "kernel", "lib", "linux", "mm", "net", "uapi"})
_MAX_KNOWN = 32
# They mention kernel names without being part of the kernel.
_ASIDE = frozenset({"Documentation", "samples", "scripts", "tools"})
_NAMESAKE = 2  # the rank of what bears the name of a subsystem
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
    begins = tuple(names)
    known: dict[str, tuple[int | None, int] | None] = {}  # (rank, closeness) of folders; None for those aside
    ranked: list[tuple[int, int, str]] = []
    for path in paths:  # tens of thousands, in a tenth as many folders
        folder, _, file = path.rpartition("/")
        if folder not in known:
            parts = tuple(folder.split("/")) if folder else ()
            inside = not parts or parts[0] not in aside
            known[folder] = (_rank(parts, places, subsystems, names), -_shared(parts, places)) if inside else None
        found = known[folder]
        if found is None or not is_source(file):
            continue
        rank = found[0]
        if (rank is None or rank > _NAMESAKE) and file.startswith(begins):
            rank = _NAMESAKE
        if rank is not None:
            ranked.append((rank, found[1], path))
    return [path for _, _, path in sorted(ranked)]


def _rank(
    folder: tuple[str, ...],
    places: Sequence[tuple[str, ...]],
    subsystems: set[tuple[str, ...]],
    names: set[str],
) -> int | None:
    if folder in places:
        return 0
    if any(folder[: len(subsystem)] == subsystem for subsystem in subsystems):
        return 1
    if any(name in folder for name in names):
        return _NAMESAKE
    if folder[:1] == ("include",) or not places:
        return _NAMESAKE + 1
    return None


def _subsystem(folder: tuple[str, ...]) -> tuple[str, ...]:
    return folder[: 3 if folder[0] in _DEEP else 2]


def _shared(folder: tuple[str, ...], places: Sequence[tuple[str, ...]]) -> int:
    """How many leading directories a folder shares with the nearest place."""
    alike = (takewhile(lambda pair: pair[0] == pair[1], zip(folder, place, strict=False)) for place in places)
    return max((len(list(pairs)) for pairs in alike), default=0)
