"""Where a reader walks an RCU list by a primitive that is made for updaters."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import asked_of_callers, held_by_caller
from bot.code.entries import Entries, Entry
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.protection import ListProtection, WorldFacts
from bot.code.reads import is_read, names_a_reader
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
    if _changes(code, function, walk):
        return True
    return any(is_read(step) and function.held[number].reading for number, step in enumerate(function.flow.steps))


def _changes(code: WorldFacts, function: Function, walk: Fact) -> bool:
    """Whether a function links or unlinks nodes of the kind that it walks over."""
    changes = {FactKind.ADD, FactKind.UNLINK}
    return any(fact.kind in changes and fact.node == walk.node for fact in code.facts(function))


def walks_among_reads(code: WorldFacts, names: frozenset[str]) -> Iterator[tuple[Fact, ListProtection, Step]]:
    """Walks by these primitives in functions without a section of their own, whose body calls a reader by its name.

    ``dev_get_by_index_rcu()`` and its like are to be called in a section, so the callers' section covers the walk,
    too.  The list must be an RCU list on both sides, and no caller may be seen to hold a lock.
    """
    for function in code.in_focus:
        if not names & function.words or function.sections:
            continue
        for fact in code.facts(function):
            if fact.kind is not FactKind.WALK or fact.name not in names or function.held[fact.step].ever(_LOCKS):
                continue
            protection = code.list_of(fact)
            if protection is None or not _rcu_on_both_sides(protection, fact) or _changes(code, function, fact):
                continue
            reader = _reader_in_body(code, function, fact)
            if reader is not None and _called_unlocked(code, function):
                yield fact, protection, reader


def walks_from_section(
    code: WorldFacts, entries: Entries, names: frozenset[str]
) -> Iterator[tuple[Fact, ListProtection, Entry]]:
    """Walks by these primitives in functions to which control comes inside a section, and with no lock held."""
    for function in code.in_focus:
        if not names & function.words:
            continue
        for fact in code.facts(function):
            if fact.kind is not FactKind.WALK or fact.name not in names or function.held[fact.step].ever(_LOCKS):
                continue
            protection = code.list_of(fact)
            if protection is None or fact.head not in protection.rcu_heads or _changes(code, function, fact):
                continue
            if way := entries.from_section(function):
                yield fact, protection, way


def _rcu_on_both_sides(protection: ListProtection, walk: Fact) -> bool:
    read = any(other.head == walk.head for other in protection.of(FactKind.WALK, rcu=True))
    return read and bool(protection.of(FactKind.UNLINK, rcu=True))


def _reader_in_body(code: WorldFacts, function: Function, walk: Fact) -> Step | None:
    """A call from which the walk comes back for the next entry, and which its name says is for readers."""
    flow = function.flow
    body = set(flow.after(walk.step)) & set(flow.before(walk.step))
    for number in sorted(body):
        step = flow.steps[number]
        if step.kind is not StepKind.CALL:
            continue
        callee = code.defined(step.name, function.path)
        inside = callee.flow.steps if callee is not None and callee is not function and not callee.sections else ()
        if any(other.kind is StepKind.CALL and names_a_reader(other.name) for other in (step, *inside)):
            return step
    return None


def _called_unlocked(code: WorldFacts, function: Function) -> bool:
    """Whether callers are in sight, and none of them, nor a remark, speaks of a lock."""
    calls = code.callers(function)
    locked = any(number < 0 or caller.held[number].ever(_LOCKS) for caller, number in calls)
    return bool(calls) and not locked and not asked_of_callers(function)
