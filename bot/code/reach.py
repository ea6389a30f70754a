"""Which of the functions that a function names lead to a read that may need its section; a quick look, by words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.code.facts import Function
from bot.code.protection import WorldFacts

_READS = re.compile(
    r"rcu_dereference|_for_each_entry_s?rcu|\w_rcu\s*+\(|rcu_read_lock_(?:bh_|sched_|any_)?+held|_in_rcu_read"
)


def reads_itself(function: Function) -> bool:
    """Whether a function holds a word that reads what RCU protects."""
    return _READS.search(function.text) is not None


class Reach:
    """Asks it of the functions of one world."""

    def __init__(self, code: WorldFacts, depth: int) -> None:
        self.code, self.depth = code, depth
        self._names = code.by_name.keys() | code.known.contracts.keys()
        self._leads: dict[tuple[str, int], bool] = {}

    def readers(self, function: Function) -> frozenset[str]:
        """The names in a function that lead to a read."""
        return frozenset(name for name in self._named(function) if self.leads(name, self.depth))

    def _named(self, function: Function) -> Iterable[str]:
        return (function.words & self._names) - {function.name}

    def leads(self, name: str, depth: int) -> bool:
        """Whether a function of this name may read, or one that it calls so deep."""
        place = (name, depth)
        if place not in self._leads:
            self._leads[place] = False  # recursion ends here
            self._leads[place] = name in self.code.known.contracts or any(
                reads_itself(function)
                or (depth > 1 and any(self.leads(inner, depth - 1) for inner in self._named(function)))
                for function in self.code.by_name.get(name, ())
            )
        return self._leads[place]
