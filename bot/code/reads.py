"""What a function finds inside a read-side section, and whether it goes on using it when the section is over."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.sections import Lock, lock_of
from bot.code.spelling import tight
from bot.code.vocabulary import LOOKUPS, READ_SIDE, READS, REFERENCE_GET, UPDATER_READS, WALKS

_READS = re.compile(r"get|find|lookup|match|first|next|index|by|is|has|master|upper")
_MEMBER = re.compile(r"(\w+)->[\w.>-]+")


def is_read(step: Step) -> bool:
    """Whether a step finds an object that RCU protects: a dereference, a turn of a walk, a lookup."""
    if step.kind is StepKind.WALK:
        return step.name in WALKS and WALKS[step.name].rcu
    if step.kind is not StepKind.CALL or step.name in UPDATER_READS - READS.keys():
        return False
    return step.name in READS or step.name in LOOKUPS or (step.name in WALKS and WALKS[step.name].rcu)


def names_a_reader(name: str) -> bool:
    """Whether a function is one of those that are called in a section, as ``dev_get_by_index_rcu()`` is."""
    return name.endswith("_rcu") and _READS.search(name) is not None


def loads(function: Function) -> Iterator[tuple[int, str]]:
    """The steps that look a pointer up inside a section of the function's own, with the variable that takes it."""
    for number, step in enumerate(function.flow.steps):
        looks = step.kind is StepKind.CALL and (step.name in LOOKUPS or step.name in READS)
        walks = step.kind is StepKind.WALK and step.name in WALKS and WALKS[step.name].rcu
        if not (looks or walks) or not function.held[number].always(READ_SIDE):
            continue
        if looks and step.target.isidentifier():
            yield number, step.target
        elif walks:
            cursor = WALKS[step.name].cursor
            if cursor is not None and len(step.args) > cursor and step.args[cursor].isidentifier():
                yield number, step.args[cursor]


def called_outside(function: Function) -> Iterator[tuple[int, str, int]]:
    """Function pointers that are taken from an object inside a section and called when nothing is held any more.

    The step that found the object, the pointer's variable, and the step of the call.
    """
    flow = function.flow
    found = {variable: number for number, variable in loads(function)}
    for number, step in enumerate(flow.steps):
        if step.kind is not StepKind.ASSIGN or not function.held[number].always(READ_SIDE):
            continue
        owner = _MEMBER.fullmatch(step.value)
        if owner is None or owner[1] not in found or not step.name.isidentifier():
            continue
        if any(keeps(flow.steps[later], owner[1]) for later in flow.after(found[owner[1]])):
            continue
        call = _called_later(function, number, step.name)
        if call is not None:
            yield found[owner[1]], step.name, call


def _called_later(function: Function, start: int, pointer: str) -> int | None:
    """The first call through a function pointer where nothing is held any more."""
    flow = function.flow
    for later in sorted(flow.after(start, lambda step: takes_anew(step, pointer))):
        call = flow.steps[later]
        if call.kind is StepKind.CALL and call.name == pointer and not anything_held(function, later):
            return later
    return None


def anything_held(function: Function, number: int) -> bool:
    return any(count for state in function.held[number].states for _, count in state)


def takes_anew(step: Step, variable: str) -> bool:
    if step.kind is StepKind.ASSIGN:
        return step.name == variable
    if step.kind is StepKind.ASSUME:
        # A flag or a null test of the pointer itself: the path on which it is null follows nothing.
        return (step.name == variable and not step.truth) or (step.name == f"!{variable}" and step.truth)
    return step.kind is StepKind.WALK and variable in step.args[:2]


def keeps(step: Step, variable: str) -> bool:
    """Whether a call may take a reference to the object, or hands it to somebody who is to look after it."""
    if step.kind is not StepKind.CALL or step.name.startswith("smp_"):
        return False
    touched = any(
        tight(arg).lstrip("&(").startswith((f"{variable}->", f"{variable})")) or arg == variable for arg in step.args
    )
    return touched and (bool(REFERENCE_GET.search(step.name)) or "lock" in step.name)


def left_at(function: Function, load: int, use: int, section: Lock) -> int | None:
    """The unlock between the two steps."""
    before = set(function.flow.before(use))
    for number in sorted(set(function.flow.after(load)) & before):
        found = lock_of(function.flow.steps[number])
        if found and not found[1].takes and found[0].kind == section.kind:
            return number
    return None
