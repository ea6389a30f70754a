"""Which functions a world puts into tables of operations, queues as work or hands over to be called later."""

from __future__ import annotations

import re
from collections.abc import Iterable, KeysView, Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from bot.model import Image

_TABLE = re.compile(r"struct[ \t\n]++(\w++)[ \t\n]++\w++[^;={}()]{0,200}=[ \t\n]*+\{")
_MEMBER = re.compile(r"\.(\w++)[ \t]*+=[ \t\n]*+&?+([A-Za-z_]\w*+)[ \t\n]*+[,}]")
_QUEUED = re.compile(
    r"\b(INIT_(?:DELAYED_|RCU_)?+WORK|DECLARE_(?:DELAYED_)?+WORK)[ \t]*+\([^;{}]{0,200}?,[ \t\n]*+(\w++)[ \t\n]*+\)"
)
# An entry of a table that says its function is called inside rcu_read_lock(): include/linux/netfilter/nfnetlink.h.
CALLED_IN_SECTION = "NFNL_CB_RCU"
_ENTRY = re.compile(r"\{([^{}]{0,2000}+)\}")
_MAX_TABLE = 60_000  # characters; the largest of the kernel's tables of operations has 20,000
_MAX_TABLES = 500  # of one file
QUEUED = "work"


class Slot(NamedTuple):
    """Where a function stands: member ``member`` of a ``struct type``; type QUEUED for what a work item runs."""

    type: str
    member: str


@lru_cache(maxsize=4096)
def slots_in(image: Image) -> Mapping[str, tuple[Slot, ...]]:
    """The slots that a file fills, by the name of what is put there: functions, and other things too."""
    found: dict[str, set[Slot]] = {}
    text = image.text
    for table in islice(_TABLE.finditer(text), _MAX_TABLES):
        end = text.find("\n}", table.end())
        inner = text[table.end() : min(end if end >= 0 else len(text), table.end() + _MAX_TABLE)]
        for member in _MEMBER.finditer(f"{inner},"):
            found.setdefault(member[2], set()).add(Slot(table[1], member[1]))
    for work in _QUEUED.finditer(text):
        found.setdefault(work[2], set()).add(Slot(QUEUED, work[1]))
    return {name: tuple(sorted(slots)) for name, slots in found.items()}


@lru_cache(maxsize=4096)
def readers_in(image: Image) -> frozenset[str]:
    """What a file puts into entries which say that they are called inside a section."""
    if CALLED_IN_SECTION not in image.text:
        return frozenset()
    entries = (entry[1] for entry in _ENTRY.finditer(image.text) if CALLED_IN_SECTION in entry[1])
    return frozenset(member[2] for entry in entries for member in _MEMBER.finditer(f"{entry},"))


class Tables:
    """The tables of all files of a world."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._slots: dict[str, set[Slot]] = {}
        self._filled: dict[str, set[tuple[str, str, str]]] = {}
        self.readers: frozenset[str] = frozenset()
        """The functions whose entry in a table says that they are called inside a section."""
        for image in images:
            self.readers |= readers_in(image)
            for name, slots in slots_in(image).items():
                self._slots.setdefault(name, set()).update(slots)
                for slot in slots:
                    self._filled.setdefault(slot.member, set()).add((slot.type, name, image.path))

    @property
    def members(self) -> KeysView[str]:
        """The members of all tables."""
        return self._filled.keys()

    def slots(self, name: str) -> tuple[Slot, ...]:
        """Where a function stands."""
        return tuple(sorted(self._slots.get(name, ())))

    def targets(self, member: str) -> tuple[tuple[str, str], ...]:
        """(function, path of the table) of all that a call through a member can mean.

        None at all when tables of more than one type have such a member: the call could mean either.
        """
        filled = self._filled.get(member, set())
        if len({kind for kind, _, _ in filled}) != 1:
            return ()
        return tuple(sorted((name, path) for _, name, path in filled))
