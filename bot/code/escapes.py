"""Pointers that a section protects and that get out of it: by return value, by output parameter, to a callee."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.reads import anything_held, is_read, keeps, loads, takes_anew
from bot.code.sections import lock_of
from bot.code.vocabulary import LOCK_CALLS, READ_SIDE, WALKS

_CAST = re.compile(r"\((?:const )?+(?:struct |union )?+\w++ ?\*++\)")
_MEMBER = re.compile(r"&?(\w++)(?:->|\.)[\w.>\[\]-]++")
_OTHER_LOCK = re.compile(r"(?:^|_)lock(?:_|$)")  # of a helper: what it protects is not known
_TRIES = re.compile(r"not_zero|unless_zero|try_?get")
_DEPTH = 2  # calls followed


TYPE_STABLE = frozenset({"page", "folio", "kvm_vcpu"})
"""Structs that are not freed while anybody can hold a pointer to them: pages never are, vCPUs go with their VM."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The step that reads a pointer; ``member``: what is given out of it is a part, and may have a life of its own."""

    function: Function
    step: int
    member: bool = False


_KNOWN: WeakKeyDictionary[WorldFacts, dict[tuple[Function, int], Reader | None]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Found:
    """A pointer that a section of the function's own protects: found at ``step``, held by ``variable``."""

    step: int
    variable: str
    reader: Reader

    @property
    def member(self) -> bool:
        return self.reader.member


def found(code: WorldFacts, function: Function) -> Iterator[Found]:
    """What the sections of a function find: by themselves, by a callee, or as a member of what they found."""
    flow = function.flow
    for number, variable in loads(function):
        yield Found(number, variable, Reader(function, number))
        for later in lasting(function, number, variable):
            step = flow.steps[later]
            part = _MEMBER.fullmatch(step.value) if step.kind is StepKind.ASSIGN and step.name.isidentifier() else None
            if part and part[1] == variable != step.name and function.held[later].always(READ_SIDE):
                yield Found(later, step.name, Reader(function, number, member=True))
    for number, step in enumerate(flow.steps):
        wanted = step.kind is StepKind.CALL and step.target.isidentifier() and not is_read(step)
        if wanted and function.held[number].always(READ_SIDE) and (reader := finds(code, function, step)):
            yield Found(number, step.target, reader)


def finds(code: WorldFacts, caller: Function, step: Step, depth: int = _DEPTH) -> Reader | None:
    """The read in a callee whose result it returns with no reference taken, None when there is none for certain."""
    callee = code.defined(step.name, caller.path) if step.kind is StepKind.CALL and depth > 0 else None
    if callee is None or callee is caller or not gives_pointer(callee) or _TRIES.search(callee.text):
        return None
    known = _KNOWN.setdefault(code, {})
    if (callee, depth) not in known:
        known[callee, depth] = None  # recursion ends here
        known[callee, depth] = _found_by(code, callee, depth)
    return known[callee, depth]


def _found_by(code: WorldFacts, callee: Function, depth: int) -> Reader | None:
    for number, step in enumerate(callee.flow.steps):
        reader = Reader(callee, number) if is_read(step) else finds(code, callee, step, depth - 1)
        if reader is not None and (given := _given_back(callee, number, step, reader)) is not None:
            return given
    return None


def _given_back(callee: Function, number: int, read: Step, reader: Reader) -> Reader | None:
    """What a function returns of what a step of it read."""
    flow = callee.flow
    variable = receiver(read)
    if not variable:
        out = (flow.steps[later] for later in flow.after(number) if flow.steps[later].kind is StepKind.RETURN)
        return reader if any(bare(step.name).startswith(f"{read.name}(") for step in out) else None
    if any(keeps(flow.steps[later], variable) for later in flow.after(number)):
        return None
    lasts = lasting(callee, number, variable)
    values = [bare(flow.steps[later].name) for later in lasts if flow.steps[later].kind is StepKind.RETURN]
    if variable in values:
        return reader
    taken = any((part := _MEMBER.fullmatch(value)) and part[1] == variable for value in values)
    hidden = any(flow.steps[after].kind is StepKind.GAP for later in lasts for after in flow.next[later])
    return Reader(reader.function, reader.step, member=True) if taken or hidden else None


def given_out(code: WorldFacts, function: Function) -> Iterator[tuple[Found, int]]:
    """Pointers that leave the function unprotected: returned when nothing is held, or stored where a parameter says.

    None where some way takes a reference: a flag may say which way was gone.
    """
    flow = function.flow
    for item in found(code, function):
        if _kept(function, item):
            continue
        for later in lasting(function, item.step, item.variable):
            step = flow.steps[later]
            back = step.kind is StepKind.RETURN and bare(step.name) == item.variable and gives_pointer(function)
            if (back and not anything_held(function, later)) or _put_out(function, item, step, later):
                yield item, later
                break


def followed_outside(code: WorldFacts, function: Function) -> Iterator[tuple[Found, int]]:
    """Pointers that are followed when nothing is held any more, be it to take the reference that is due inside."""
    for item in found(code, function):
        if item.member or _kept(function, item) or function.variables.get(item.variable) in TYPE_STABLE:
            continue
        for later in lasting(function, item.step, item.variable):
            step = function.flow.steps[later]
            late = step.kind is StepKind.CALL and keeps(step, item.variable)
            if (late or item.variable in step.uses) and not anything_held(function, later):
                yield item, later
                break


def lost_sight(code: WorldFacts, function: Function) -> Iterator[tuple[Found, int]]:
    """Pointers that a section does nothing but find, kept for lines behind it that are out of sight; and its unlock."""
    flow = function.flow
    for item in found(code, function) if flow.has_gap else ():
        if item.reader.function is function or _kept(function, item):
            continue
        behind = lasting(function, item.step, item.variable)
        inside = [later for later in behind if anything_held(function, later)]
        if any(item.variable in flow.steps[later].uses | set(flow.steps[later].args) for later in inside):
            continue
        hidden = any(flow.steps[after].kind is StepKind.GAP for later in behind for after in flow.next[later])
        unlock = next((later for later in inside if (lock := lock_of(flow.steps[later])) and not lock[1].takes), None)
        if hidden and unlock is not None:
            yield item, unlock


def handed_on(code: WorldFacts, function: Function) -> Iterator[tuple[Found, int, tuple[Function, Step]]]:
    """Pointers that a callee follows when nothing is held any more: what was found, the call, and where it follows."""
    flow = function.flow
    for item in found(code, function):
        if item.member or _kept(function, item) or function.variables.get(item.variable) in TYPE_STABLE:
            continue
        for later in lasting(function, item.step, item.variable):
            step = flow.steps[later]
            if step.kind is StepKind.CALL and item.variable in step.args and not anything_held(function, later):
                place = follows(code, function, step, step.args.index(item.variable))
                if place is not None:
                    yield item, later, place
                    break


def follows(
    code: WorldFacts, caller: Function, step: Step, place: int, depth: int = _DEPTH
) -> tuple[Function, Step] | None:
    """Where a callee follows its argument, None when it does not or cannot be seen."""
    callee = code.defined(step.name, caller.path)
    if callee is None or callee is caller or place >= len(callee.parameters):
        return None
    name = callee.parameters[place]
    for number in (0, *lasting(callee, 0, name)):
        inner = callee.flow.steps[number]
        if name in inner.uses:
            return callee, inner
        if inner.kind is StepKind.CALL and name in inner.args and depth > 1:
            deeper = follows(code, callee, inner, inner.args.index(name), depth - 1)
            if deeper is not None:
                return deeper
    return None


def lasting(function: Function, load: int, variable: str) -> list[int]:
    """The steps behind a load at which the variable may still hold what was loaded, and nothing else is known of it.

    A pointer that equals another is kept by whoever keeps that one.
    """
    flow = function.flow
    start = load
    if flow.steps[load].kind is StepKind.CALL and len(flow.next[load]) == 1:
        start = flow.next[load][0]  # its own assignment

    def ends(step: Step) -> bool:
        helper = step.kind is StepKind.CALL and step.name not in LOCK_CALLS and _OTHER_LOCK.search(step.name)
        known = step.kind is StepKind.ASSUME and step.truth and _equals(step.name, variable)
        return step.kind is StepKind.GAP or bool(helper) or known or takes_anew(step, variable)

    return sorted(flow.after(start, ends))


def _equals(condition: str, variable: str) -> bool:
    """Whether a condition says that a variable and something else are the same."""
    left, equal, right = condition.partition("==")
    return bool(equal) and variable in {left.strip(), right.strip()}


def gives_pointer(function: Function) -> bool:
    """Whether a function returns a pointer."""
    return "*" in function.signature.split(f"{function.name}(")[0]


def bare(value: str) -> str:
    """An expression without the casts and parentheses around it."""
    plain = _CAST.sub("", value)
    while plain.startswith("(") and plain.endswith(")"):
        plain = plain[1:-1]
    return plain


def receiver(step: Step) -> str:
    """The variable that takes what a read finds."""
    if step.kind is StepKind.WALK:
        cursor = WALKS[step.name].cursor
        return step.args[cursor] if cursor is not None and cursor < len(step.args) else ""
    return step.target if step.target.isidentifier() else ""


def _kept(function: Function, item: Found) -> bool:
    """Whether some way takes a reference to what was found while the section lasts."""
    return any(
        keeps(function.flow.steps[later], item.variable) and function.held[later].ever(READ_SIDE)
        for later in function.flow.after(item.step)
    )


def _put_out(function: Function, item: Found, step: Step, number: int) -> bool:
    """Whether a step stores the pointer where an output parameter points, and the section ends behind it."""
    if step.kind is not StepKind.ASSIGN or bare(step.value) != item.variable or not step.name.startswith("*"):
        return False
    leaves = (later for later in function.flow.after(number) if not function.flow.next[later])
    return step.name.lstrip("*") in function.parameters and any(not anything_held(function, out) for out in leaves)
