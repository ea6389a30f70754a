"""Where a reader walks an RCU list by a primitive that is made for updaters."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Fact, FactKind, Function
from bot.code.protection import ListProtection, WorldFacts
from bot.code.reads import is_read
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN

_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN})


def plain_walks(code: WorldFacts, names: frozenset[str]) -> Iterator[tuple[Fact, ListProtection]]:
    """Walks by these primitives, over a head that is known to be an RCU list, in a section of the function's own.

    The section must be for the walk: where it covers another RCU read, a lock that the callers hold may be for the
    list.  So it may where the function changes the list.
    """
    for function in code.in_focus:
        if not names & function.words:
            continue
        for fact in code.facts(function):
            if fact.kind is not FactKind.WALK or fact.name not in names:
                continue
            held, protection = function.held[fact.step], code.list_of(fact)
            if protection is None or fact.head not in protection.rcu_heads or not held.reading or held.ever(_LOCKS):
                continue
            if not _for_something_else(code, function, fact) and not held_by_caller(code, function, _LOCKS):
                yield fact, protection


def _for_something_else(code: WorldFacts, function: Function, walk: Fact) -> bool:
    if any(fact.kind in {FactKind.ADD, FactKind.UNLINK} and fact.node == walk.node for fact in code.facts(function)):
        return True
    return any(is_read(step) and function.held[number].reading for number, step in enumerate(function.flow.steps))
