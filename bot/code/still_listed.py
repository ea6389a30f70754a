"""Entries that a walk finds on an RCU list behind a grace period, and that are released there: the wait missed them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Flow, Step, StepKind
from bot.code.lifetime import Lifetime
from bot.code.protection import WorldFacts
from bot.code.structs import LOCAL, Key

_ENDS = re.compile(r"(?:^|_)(?:release|destroy|free|delete)(?P<what>(?:_[a-z]+)*+)$")
_HIDES = re.compile(r"(?:^|_)(?:unlink|del|delete|remove|unhash|detach|erase|unpublish|splice|deactivate)(?:_|$)")

_DEPTH = 2  # calls followed


@dataclass(frozen=True, slots=True)
class StillListed:
    """A walk behind a wait, whose entries a ``release`` ends while a ``reader`` can find them on the same list."""

    walk: Fact
    reader: Fact
    wait: Fact
    release: Step


def still_listed(code: WorldFacts, lifetime: Lifetime) -> Iterator[StillListed]:
    """Walks behind a grace period that release some of the entries of a list which RCU readers walk."""
    for protection in code.lists.values():
        readers = protection.of(FactKind.WALK, rcu=True)
        for walk in protection.of(FactKind.WALK, rcu=False) if readers else ():
            reader = next((other for other in readers if _same_list(walk.head, other.head)), None)
            wait = _waited(code, walk) if reader is not None else None
            release = _released(code, lifetime, walk) if wait is not None else None
            if reader is not None and wait is not None and release is not None:
                yield StillListed(walk, reader, wait, release)


def _same_list(one: Key, other: Key) -> bool:
    """Whether two heads are members of one name: the struct around it may be out of sight on one side."""
    return LOCAL not in {one.owner, other.owner} and one.member == other.member != ""


def _waited(code: WorldFacts, walk: Fact) -> Fact | None:
    """A grace period on the way to a walk, when nothing was hidden from readers before."""
    function, flow = walk.where, walk.where.flow
    waits = [fact for fact in code.facts(function) if _is_wait(fact) and fact.step in set(flow.before(walk.step))]
    if not waits or flow.has_gap:
        return None
    earlier = {number for fact in waits for number in flow.before(fact.step)}
    hidden = any(
        fact.step in earlier and (fact.kind is FactKind.UNLINK or (fact.kind is FactKind.STORE and fact.rcu))
        for fact in code.facts(function)
    )
    calls = (flow.steps[number] for number in earlier if flow.steps[number].kind is StepKind.CALL)
    return None if hidden or any(_HIDES.search(step.name) or _unlinks(code, walk, step) for step in calls) else waits[0]


def _is_wait(fact: Fact) -> bool:
    return fact.kind is FactKind.WAIT and fact.name.startswith("synchronize_")


def _unlinks(code: WorldFacts, walk: Fact, step: Step) -> bool:
    callee = code.defined(step.name, walk.path)
    return callee is not None and any(fact.kind is FactKind.UNLINK for fact in code.facts(callee))


def _released(code: WorldFacts, lifetime: Lifetime, walk: Fact) -> Step | None:
    """The call that releases the entry which a walk stands on, where the walk leaves other entries on the list."""
    function, flow = walk.where, walk.where.flow
    body = list(flow.after(walk.step, lambda step: step.kind is StepKind.WALK))
    facts = code.facts(function)
    if any(fact.step in body and fact.kind in {FactKind.UNLINK, FactKind.WAIT, FactKind.DEFER} for fact in facts):
        return None  # other rules speak of what is unlinked just there
    for number in body:
        step = flow.steps[number]
        if step.kind is StepKind.CALL and walk.variable in step.args and _is_release(walk, step):
            callee = code.defined(step.name, walk.path)
            waits = callee is not None and _waits(code, lifetime, callee)
            if not waits and walk.step in flow.before(number) and _goes_round(flow, walk.step, number):
                return step
    return None


def _waits(code: WorldFacts, lifetime: Lifetime, callee: Function, depth: int = _DEPTH) -> bool:
    """Whether a callee lets a grace period pass, or hands anything to one, itself or in what it calls."""
    if lifetime.waits(callee) or any(fact.kind is FactKind.DEFER for fact in code.facts(callee)):
        return True
    steps = (step for step in callee.flow.steps if step.kind is StepKind.CALL and depth > 0)
    inner = (code.defined(step.name, callee.path) for step in steps)
    return any(
        found is not None and found is not callee and _waits(code, lifetime, found, depth - 1) for found in inner
    )


def _is_release(walk: Fact, step: Step) -> bool:
    """Whether a callee's name says that all of the entry goes: by a verb, and by nothing but the name of the entry."""
    named = _ENDS.search(step.name)
    if named is None:
        return False
    return set(named["what"].strip("_").split("_")) <= {"", walk.variable, *walk.node.owner.split("_")}


def _goes_round(flow: Flow, walk: int, release: int) -> bool:
    """Whether the walk comes to its next entry without the release: the list lives on."""
    pending, seen = list(flow.next[walk]), {release}
    while pending:
        number = pending.pop()
        if number == walk:
            return True
        if number not in seen:
            seen.add(number)
            pending.extend(flow.next[number])
    return False
