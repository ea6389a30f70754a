"""Where an object that a function made becomes visible to readers for the first time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.lifetime import Lifetime
from bot.code.protection import WorldFacts
from bot.code.structs import LOCAL
from bot.code.vocabulary import ASSERTED, FRESH, MUTEX, RWLOCK, RWSEM, SEQ, SPIN

_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN})
_INSERTS = {"xa_store": 2, "xa_insert": 2, "__xa_store": 2, "idr_alloc": 1, "idr_alloc_cyclic": 1, "xa_alloc": 2}
_WORDS = re.compile(r"\w+")
_SETS_UP = re.compile(r"(?:^|_)(?:init|setup|alloc|create|new|open|probe|ctor)(?:_|$)")


def published(code: WorldFacts, lifetime: Lifetime, function: Function) -> Iterator[tuple[int, str, Fact | None]]:
    """The step, the variable, and the fact; the fact is None where the object is stored under a number.

    Nothing is visible yet on a list of the function's own, in an object that was made there or by every caller, or in
    one that the function sets up.  What is stored under a number with a lock held may be looked up with it only.
    """
    facts = {fact.step: fact for fact in code.facts(function) if fact.rcu}
    seen: set[str] = set()
    for number, step in enumerate(function.flow.steps):
        fact = facts.get(number)
        if fact is not None and fact.kind in {FactKind.ADD, FactKind.STORE}:
            variable = "" if _hidden(lifetime, fact) else fact.variable if fact.kind is FactKind.ADD else fact.value
        else:
            fact, variable = None, "" if function.held[number].ever(_LOCKS) else _inserted(step)
        if variable.isidentifier() and variable not in seen and made_here(function, number, variable):
            seen.add(variable)
            yield number, variable, fact


def made_here(function: Function, number: int, variable: str) -> bool:
    """Whether a variable holds, at a step, what an allocation before it returned."""
    steps = (function.flow.steps[at] for at in function.flow.before(number))
    return any(step.kind is StepKind.CALL and step.target == variable and step.name in FRESH for step in steps)


def _hidden(lifetime: Lifetime, fact: Fact) -> bool:
    """Whether the list or the pointer cannot be found by a reader yet."""
    sets_up = fact.kind is FactKind.STORE and _SETS_UP.search(fact.function) and fact.variable in fact.where.parameters
    return fact.head.owner == LOCAL or bool(sets_up) or lifetime.owner_private(fact)


def _inserted(step: Step) -> str:
    place = _INSERTS.get(step.name) if step.kind is StepKind.CALL else None
    return step.args[place] if place is not None and place < len(step.args) else ""


def who_uses(code: WorldFacts, fact: Fact, place: str) -> Iterator[tuple[Function, int]]:
    """Readers of what ``fact`` publishes that use a member of it (``g->ops`` says which) with no lock held."""
    member = _WORDS.findall(place)[1:2]
    protection = code.list_of(fact) if fact.kind is FactKind.ADD else code.pointers.get(fact.head)
    for kind in (FactKind.WALK, FactKind.READ) if protection and member else ():
        for read in protection.of(kind, rcu=True) if protection else ():
            steps = read.where.flow.steps
            cursor = read.variable or steps[read.step].target
            for number in read.where.flow.after(read.step) if cursor.isidentifier() else ():
                used = re.search(rf"\b{cursor}->{member[0]}\b", steps[number].code)
                if used and not read.where.held[number].ever(_LOCKS):
                    yield read.where, number
