"""Whether every way out of a function leaves the read-side sections that it entered."""

from __future__ import annotations

import re

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.sections import Lock, lock_of
from bot.code.vocabulary import READ_SIDE

_FAILURE = re.compile(r"-E[A-Z]\w*|-1|NULL|false|ERR_(?:PTR|CAST)\(.*|-\w*err\w*|(?:err|error|rc?|ret|retval|res|rv)")


def sections_entered(function: Function) -> dict[Lock, int]:
    """The read-side sections that the function enters, with the step that does so first."""
    found: dict[Lock, int] = {}
    for number, lock, call in function.locks:
        if call.takes and lock.kind in READ_SIDE and function.flow.steps[number].name != "guard":
            found.setdefault(lock, number)
    return found


def unbalanced_exit(function: Function, lock: Lock) -> int | None:
    """The exit whose balance is wrong, None when none is for certain."""
    early = _return_before_unlock(function, lock)
    if early is not None:
        return early
    if function.flow.has_gap:
        return _left_in_sight(function, lock)
    exits: dict[int, set[int]] = {}
    for number, followers in enumerate(function.flow.next):
        if not followers and function.held[number].states:
            # A void function may end with its unlock; what is held is known before each step.
            last = lock_of(function.flow.steps[number])
            change = 0 if last is None or last[0] != lock else 1 if last[1].takes else -1
            exits[number] = {dict(state).get(lock, 0) + change for state in function.held[number].states}
    counts = set().union(*exits.values()) if exits else set()
    if len(counts) < 2 or min(counts) < 0 < max(counts) or 0 not in counts:
        return None  # balanced, or a half of a pair
    if _on_condition(function, lock) or _entered_by_caller(function, lock):
        return None
    if mixed := [number for number, found in exits.items() if len(found) > 1]:
        return mixed[0]
    wrong = next(number for number, found in exits.items() if found != {0})
    right = [number for number, found in exits.items() if found == {0}]
    step = function.flow.steps[wrong]
    if step.kind is not StepKind.RETURN or not step.name:
        return wrong
    # A function may return with the section open when it succeeds; a failure that does is a mistake.
    fails = _FAILURE.fullmatch(step.name) is not None
    return wrong if fails and not all(_FAILURE.fullmatch(function.flow.steps[n].name) for n in right) else None


def _return_before_unlock(function: Function, lock: Lock) -> int | None:
    """A return that stands right above an unlock, which no way leads to."""
    steps, flow = function.flow.steps, function.flow
    for number, step in enumerate(steps[:-1]):
        if step.kind is not StepKind.RETURN or not all(dict(s).get(lock, 0) > 0 for s in function.held[number].states):
            continue
        below = lock_of(steps[number + 1])
        if below is None or below[0] != lock or below[1].takes or not function.held[number].states:
            continue
        if all(steps[before].kind is StepKind.GAP for before in flow.previous[number + 1]):
            return number
    return None


def _left_in_sight(function: Function, lock: Lock) -> int | None:
    """The same where lines are out of sight: lock, failing exit and unlock stand in one piece."""
    flow = function.flow

    def ends(step: Step) -> bool:
        found = lock_of(step)
        return step.kind is StepKind.GAP or (found is not None and found[0] == lock)

    if _on_condition(function, lock) or _entered_by_caller(function, lock):
        return None
    for number, step in enumerate(flow.steps):
        taken = lock_of(step)
        if taken is None or taken[0] != lock or not taken[1].takes:
            continue
        reached = sorted(flow.after(number, ends))
        unlocked = any(
            (found := lock_of(flow.steps[later])) is not None and found[0] == lock and not found[1].takes
            for earlier in (number, *reached)
            for later in flow.next[earlier]
        )
        for exit_step in reached:
            left = flow.steps[exit_step]
            if unlocked and left.kind is StepKind.RETURN and (not left.name or _FAILURE.fullmatch(left.name)):
                return exit_step
    return None


def _entered_by_caller(function: Function, lock: Lock) -> bool:
    """Whether the function may leave a section that it did not enter: then it ends what its caller began."""

    def takes(step: Step) -> bool:
        found = lock_of(step)
        return found is not None and found[0] == lock and found[1].takes

    steps = [function.flow.steps[number] for number in function.flow.after(0, takes)]
    return any((found := lock_of(step)) is not None and found[0].kind == lock.kind for step in steps)


def _on_condition(function: Function, lock: Lock) -> bool:
    """Whether an unlock is passed by on a branch that goes on right behind it: lock and unlock follow one flag."""
    flow = function.flow
    for number, step in enumerate(flow.steps):
        found = lock_of(step)
        if found is None or found[0] != lock:
            continue
        for before in flow.previous[number]:
            if flow.steps[before].kind is not StepKind.ASSUME:
                continue
            siblings = {other for fork in flow.previous[before] for other in flow.next[fork]} - {before}
            behind = set(flow.after(number))
            if any(set(flow.next[sibling]) & behind for sibling in siblings if flow.next[sibling]):
                return True
    return False
