"""Which of the functions that a function names lead to a read that may need its section; a quick look, by words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.code.facts import Function
from bot.code.protection import WorldFacts

_READS = re.compile(r"rcu_dereference|_for_each_entry_s?rcu|\w_rcu\s*+\(|rcu_read_lock_\w*+held|_in_rcu_read")
_DEPTH = 4  # calls followed


class Reach:
    """Asks it of the functions of one world."""

    def __init__(self, code: WorldFacts) -> None:
        self.code = code
        self._leads: dict[tuple[str, int], bool] = {}

    def readers(self, function: Function) -> frozenset[str]:
        """The names in a function that lead to a read."""
        return frozenset(name for name in self._named(function) if self._leads_to_read(name, _DEPTH))

    def _named(self, function: Function) -> Iterable[str]:
        known = self.code.known.contracts.keys()
        return (function.words & (self.code.by_name.keys() | known)) - {function.name}

    def _leads_to_read(self, name: str, depth: int) -> bool:
        place = (name, depth)
        if place not in self._leads:
            self._leads[place] = False  # recursion ends here
            self._leads[place] = name in self.code.known.contracts or any(
                _READS.search(function.text) is not None
                or (depth > 1 and any(self._leads_to_read(inner, depth - 1) for inner in self._named(function)))
                for function in self.code.by_name.get(name, ())
            )
        return self._leads[place]
