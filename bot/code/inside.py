"""Whether a step lies inside a section for certain: taken in sight, and nothing on the way that could have ended it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.sections import Lock, lock_of
from bot.code.vocabulary import LOCK_CALLS

_DROPS = re.compile(r"unlock|(?:^|_)(?:leave|exit|end|drop|release)(?:_|$)")
_DEPTH = 2  # calls followed


def takes(step: Step, lock: Lock) -> bool:
    found = lock_of(step)
    return found is not None and found[1].takes and found[0] == lock


def opened(
    code: WorldFacts, function: Function, number: int, kinds: Iterable[str], what: str | None = None
) -> tuple[Lock, int] | None:
    """The lock of these kinds (spelled ``what``) that every way to a step holds, and the step that takes it.

    None when a lock may have been dropped in lines or calls that are not in sight, or was taken by the caller.
    """
    for lock in function.held[number].always(kinds):
        if what not in {None, lock.what}:
            continue
        between = list(function.flow.before(number, lambda step, lock=lock: takes(step, lock)))  # type: ignore[misc]
        if any(_unsure(code, function, function.flow.steps[place], lock) for place in between):
            continue
        openers = [
            place
            for inner in (number, *between)
            for place in function.flow.previous[inner]
            if takes(function.flow.steps[place], lock)
        ]
        if openers:
            return lock, max(openers)
    return None


def _unsure(code: WorldFacts, function: Function, step: Step, lock: Lock) -> bool:
    """Whether a step may end the section out of sight."""
    if step.kind is StepKind.GAP:
        return True
    if step.kind is not StepKind.CALL or step.name in LOCK_CALLS or step.name.startswith("guard"):
        return False
    callee = code.defined(step.name, function.path)
    if callee is None or callee is function:
        return bool(_DROPS.search(step.name))
    return any(
        (found := lock_of(inner)) is not None
        and found[0].kind == lock.kind
        and not found[1].takes
        and not callee.held[place].always((lock.kind,))
        for place, inner in enumerate(callee.flow.steps)
    )


def surely_meets(
    code: WorldFacts,
    function: Function,
    step: Step,
    wanted: Callable[[Function, int], bool],
    stops: Callable[[Step], bool] = lambda _: False,
    depth: int = _DEPTH,
) -> tuple[Function, int] | None:
    """The wanted step that every way through the callee meets before it ``stops``, in the callee or its callees."""
    callee = code.defined(step.name, function.path) if step.kind is StepKind.CALL and depth > 0 else None
    if callee is None or callee is function or callee.flow.has_gap or not callee.flow.steps:
        return None
    found: dict[int, tuple[Function, int]] = {}
    for number, inner in enumerate(callee.flow.steps):
        if wanted(callee, number):
            found[number] = callee, number
        elif inner.kind is StepKind.CALL and (deeper := surely_meets(code, callee, inner, wanted, stops, depth - 1)):
            found[number] = deeper
    if not found:
        return None
    # Could the function's end, or what stops it, be reached with the wanted steps taken out of it?
    met = {id(callee.flow.steps[number]) for number in found}
    reached = {0, *callee.flow.after(0, lambda at: id(at) in met)} - found.keys()
    if any(not callee.flow.next[number] or stops(callee.flow.steps[number]) for number in reached):
        return None
    return next((found[number] for number in sorted(found) if callee.flow.previous[number] or number == 0), None)
