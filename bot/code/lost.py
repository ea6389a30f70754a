"""Which waits for readers a change takes out of a function, and whether something else waits in their place."""

from __future__ import annotations

import re

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import StepKind
from bot.code.lifetime import Lifetime
from bot.code.protection import WorldFacts
from bot.code.vocabulary import (
    ADDS,
    DEFERS,
    LOCK_CALLS,
    READS,
    REPLACES,
    STORES,
    UNLINKS,
    UPDATER_READS,
    WAITS,
    WALKS,
)

_PRIMITIVES = frozenset().union(LOCK_CALLS, READS, UPDATER_READS, STORES, ADDS, UNLINKS, REPLACES, WALKS, WAITS, DEFERS)
_OTHER_WAIT = re.compile(r"^wait_(?:for|event)|^flush_|_sync$|^kthread_stop")


def lost_wait(code: WorldFacts, before_code: WorldFacts, function: Function) -> Fact | None:
    """A wait or hand-over that the function had before and has not now, None when there are as many as before."""
    before = _waits(before_code, function.path, function.name)
    now = _waits(code, function.path, function.name)
    if len(now) >= len(before):
        return None
    left = [fact.name for fact in now]
    for fact in before:
        if fact.name not in left:
            return fact
        left.remove(fact.name)
    return None


def _waits(code: WorldFacts, path: str, name: str) -> list[Fact]:
    return [
        fact
        for function in code.by_name.get(name, ())
        if function.path == path
        for fact in code.facts(function)
        if fact.kind in {FactKind.WAIT, FactKind.DEFER}
    ]


def still_waits(code: WorldFacts, before_code: WorldFacts, lifetime: Lifetime, function: Function) -> bool:
    """Whether the function, or a caller that did not before, still waits or hands over, as far as names tell."""
    if _hands_over_by_name(code, function) > _hands_over_by_name(before_code, function):
        return True
    if lifetime.waits(function) or _waits(code, function.path, function.name):
        return True
    return any(
        len(_waits(code, caller.path, caller.name)) > len(_waits(before_code, caller.path, caller.name))
        for caller, _ in code.callers(function)
    )


def _hands_over_by_name(code: WorldFacts, function: Function) -> int:
    """How many calls of functions of this name say RCU and are no primitive that we know otherwise."""
    return sum(
        step.kind is StepKind.CALL and "rcu" in step.name and step.name not in _PRIMITIVES
        for twin in code.by_name.get(function.name, ())
        if twin.path == function.path
        for step in twin.flow.steps
    )


def on_no_rcu_list_now(code: WorldFacts, before_code: WorldFacts, before: Function) -> bool:
    """Whether what the function took off RCU lists is on no RCU list any more."""
    removed = [fact for fact in before_code.facts(before) if fact.kind is FactKind.UNLINK and fact.rcu]
    now = [code.lists.get(fact.node) for fact in removed]
    return bool(removed) and not any(found and any(fact.rcu for fact in found.facts) for found in now)


def published_no_more(code: WorldFacts, before_code: WorldFacts, function: Function, step: int) -> bool:
    """Whether a step works on a list that was published by RCU's rules before, and is in no way an RCU list now."""
    for fact in code.facts(function):
        now = code.list_of(fact) if fact.step == step else None
        before = before_code.lists.get(now.node) if now else None
        if now and before and before.of(FactKind.ADD, rcu=True):
            return not any(other.rcu for other in now.facts)
    return False


def replaced(code: WorldFacts, before_code: WorldFacts) -> bool:
    """Whether any function waits or hands over more than before, or waits for something else: that may be instead."""
    return any(
        len(_waits(code, function.path, function.name)) > len(_waits(before_code, function.path, function.name))
        or _others(code, function) > _others(before_code, function)
        for function in code.in_focus
    )


def _others(code: WorldFacts, function: Function) -> int:
    """How many other waits a function of this name has: for a completion, for queued work."""
    return sum(
        step.kind is StepKind.CALL and _OTHER_WAIT.search(step.name) is not None
        for twin in code.by_name.get(function.name, ())
        if twin.path == function.path
        for step in twin.flow.steps
    )
