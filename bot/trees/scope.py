"""Where in a kernel tree to look for what a diff touches, the nearest files first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TypeAlias

_SOURCE = (".c", ".h")
# Names of folders that tell a place and not a subsystem.
_NO_NAMES = frozenset({"asm", "boot", "configs", "core", "include", "kernel", "lib", "linux", "mm", "net", "uapi"})
_MAX_KNOWN = 32
# They mention kernel names without being part of the kernel.
_ASIDE = frozenset({"Documentation", "samples", "scripts", "tools"})
_NAMESAKE = 2  # the rank of what bears the name of a subsystem
_DEEP = frozenset({"arch", "drivers", "sound"})  # three levels name a subsystem there, elsewhere two do


ByFolder: TypeAlias = Mapping[str, Sequence[str]]
"""The names of the source files in each folder, by what their paths begin with: "virt/kvm/", "" for the root."""


class Scope:
    """The source files of one state of a tree."""

    def __init__(self, folders: ByFolder) -> None:
        self._folders = folders
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    @property
    def paths(self) -> list[str]:
        return [f"{folder}{name}" for folder, names in self._folders.items() for name in names]

    def nearest(self, near: tuple[str, ...]) -> tuple[str, ...]:
        """As the function; remembered, since a series asks more than once."""
        if near not in self._known:
            if len(self._known) > _MAX_KNOWN:
                self._known.clear()
            self._known[near] = tuple(nearest(self._folders, near))
        return self._known[near]


def by_folder(paths: Iterable[str]) -> ByFolder:
    """The source files among these, by folder."""
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for path in filter(is_source, paths):
        begin = path.rfind("/") + 1
        folders[path[:begin]].append(path[begin:])
    return folders


def chosen(paths: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The source files that match a pattern; ``*`` stands for any letters, / too."""
    wanted = re.compile("|".join(translate(pattern) for pattern in patterns))
    return sorted(path for path in paths if is_source(path) and wanted.match(path))


def is_inside(path: str) -> bool:
    """Whether a path that a diff names can be one of a tree's: no way up or out, no line break."""
    return bool(path) and "\n" not in path and "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def is_source(path: str) -> bool:
    return path.endswith(_SOURCE)


def nearest(folders: ByFolder, near: Sequence[str]) -> list[str]:
    """The source files to search, the nearest to the directories ``near`` first; all of them when it is empty.

    Near are the directories themselves, their subsystems, the headers in include/, and what bears the subsystem's name
    elsewhere: for virt/kvm that is arch/*/kvm and arch/*/include/asm/kvm_host.h.
    """
    places = tuple(PurePosixPath(place).parts for place in near)
    subsystems = {_subsystem(place) for place in places if place}
    names = {subsystem[-1] for subsystem in subsystems if len(subsystem) > 1} - _NO_NAMES
    aside = _ASIDE - {place[0] for place in places if place}
    begins = tuple(names)
    ranked: defaultdict[tuple[int, int], list[str]] = defaultdict(list)  # by rank and closeness
    for folder, files in folders.items():
        parts = tuple(folder.split("/")[:-1])
        if parts and parts[0] in aside:
            continue
        rank = _rank(parts, places, subsystems, names)
        namesakes = [name for name in files if name.startswith(begins)] if rank is None or rank > _NAMESAKE else []
        if namesakes:
            ranked[_NAMESAKE, -_shared(parts, places)] += [f"{folder}{name}" for name in namesakes]
        if rank is not None:
            ranked[rank, -_shared(parts, places)] += [f"{folder}{name}" for name in files]
    return list(dict.fromkeys(path for place in sorted(ranked) for path in sorted(ranked[place])))


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
