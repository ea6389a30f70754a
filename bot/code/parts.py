"""Parts that are freed while the object they hang on can still be found by RCU readers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.lifetime import Lifetime
from bot.code.protection import WorldFacts
from bot.code.structs import LOCAL, Key
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN

_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN})
_PART = re.compile(r"(?:READ_ONCE\()?(\w+)->\w+(?:\[[^\]]*\])?\)?")


@dataclass(frozen=True, slots=True)
class PartFreed:
    """``part`` of ``owner`` is freed; the owner is unlinked, and its readers are waited for, at ``unlink`` only."""

    freed: Fact
    owner: str
    part: Key
    unlink: Step
    reader: tuple[Function, Step]


def parts_freed(code: WorldFacts, lifetime: Lifetime) -> Iterator[PartFreed]:
    """Frees of what a member of an object leads to, before the object is unlinked and a grace period passes."""
    for function in code.in_focus:
        for fact in code.facts(function):
            if fact.kind is not FactKind.FREE or fact.value or lifetime.waited_before(fact):
                continue
            for owner, part in _loaded_from(code, function, fact):
                unlink = _unlinked_behind(code, lifetime, fact, owner)
                reader = _reader_of(code, part) if unlink is not None else None
                if unlink is not None and reader is not None:
                    yield PartFreed(fact, owner, part, unlink, reader)


def _loaded_from(code: WorldFacts, function: Function, freed: Fact) -> Iterator[tuple[str, Key]]:
    """(owner, part) of the member that the freed variable was taken from, all through the function."""
    loads = {
        step.value
        for step in function.flow.steps
        if step.kind is StepKind.ASSIGN and step.name == freed.variable and step.value != "NULL"
    }
    found = _PART.fullmatch(next(iter(loads))) if len(loads) == 1 else None
    if found is not None:
        part = code.structs.resolve(found[0], function.variables, function.aliases)
        if part.known and part.owner != LOCAL:
            yield found[1], part


def _unlinked_behind(code: WorldFacts, lifetime: Lifetime, freed: Fact, owner: str) -> Step | None:
    """The step after a free that takes the owner from an RCU structure and waits: itself, or in a callee."""
    function = freed.where
    flow = function.flow
    behind = sorted(flow.after(freed.step))
    for number in behind:
        step = flow.steps[number]
        if step.kind is not StepKind.CALL:
            continue
        callee = code.defined(step.name, function.path)
        if callee is not None and owner in step.args and lifetime.waits(callee):
            place = step.args.index(owner)
            if place < len(callee.parameters) and _unlinks(code, callee, callee.parameters[place]):
                return step
    waits = any(lifetime.is_wait(flow.steps[number], function) for number in behind)
    own = (fact for fact in code.facts(function) if fact.step in behind and _is_removal(fact, owner))
    first = next(own, None) if waits else None
    return flow.steps[first.step] if first is not None else None


def _unlinks(code: WorldFacts, function: Function, owner: str) -> bool:
    return any(_is_removal(fact, owner) for fact in code.facts(function))


def _is_removal(fact: Fact, owner: str) -> bool:
    return fact.kind is FactKind.UNLINK and fact.rcu and fact.variable == owner


def _reader_of(code: WorldFacts, part: Key) -> tuple[Function, Step] | None:
    """Where the member is loaded in a section, by a reader that holds no lock, and what it leads to is used."""
    for function in code.functions:
        if part.member not in function.words or not function.sections:
            continue
        for number, step in enumerate(function.flow.steps):
            held = function.held[number]
            found = _PART.fullmatch(step.value) if step.kind is StepKind.ASSIGN and held.reading else None
            if found is None or held.ever(_LOCKS) or not step.name.isidentifier():
                continue
            same = code.structs.resolve(found[0], function.variables, function.aliases) == part
            if same and _found_in_section(function, found[1]) and _used(function, number, step.name):
                return function, step
    return None


def _found_in_section(function: Function, owner: str) -> bool:
    """Whether the owner was looked up in a section, so that the section is what keeps it."""
    steps = enumerate(function.flow.steps)
    return any(
        function.held[number].reading
        and (step.target == owner or (step.kind in {StepKind.ASSIGN, StepKind.WALK} and step.name == owner))
        for number, step in steps
    )


def _used(function: Function, start: int, variable: str) -> bool:
    """Whether a step in the section hands the variable to a callee, or follows it."""
    flow = function.flow
    return any(
        function.held[number].reading
        and flow.steps[number].kind is StepKind.CALL
        and (variable in flow.steps[number].args or f"{variable}->" in flow.steps[number].code)
        for number in flow.after(start)
    )
