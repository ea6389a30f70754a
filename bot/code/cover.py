"""What a change takes out of a read-side section: code that stays, and is covered no more."""

from __future__ import annotations

import re

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.reads import is_read
from bot.code.spelling import tight
from bot.code.vocabulary import READ_SIDE, WALKS

_UPDATES = re.compile(
    r"container_of|offsetof|(?:^|_)(?:remove|destroy|unregister|register|free|kfree|put|del|delete|detach|attach|flush|cancel|alloc|init|exit|"
    r"add|insert|set|clear|update|release|drop|lock|unlock|sync|synchronize|wait|sleep|schedule|wake|trace|pr|dev|warn|"
    r"WARN|BUG|printk|debug|dbg|err|info|min|max|likely|unlikely|IS|READ|WRITE|PTR|ERR|test|smp|atomic|memset|memcpy|"
    r"disable|enable|begin|end)(?:_|$)"
)

_REPORTS = re.compile(r"audit_|dump_|\w+_(?:dump|show|fill|report)_")


def counterpart(code: WorldFacts, function: Function) -> Function | None:
    same = (other for other in code.by_name.get(function.name, ()) if other.path == function.path)
    return next(same, None)


def was_surplus(before: Function, after: Function) -> bool:
    """Whether locks went without their unlocks: then there was one too many."""

    def calls(function: Function, *, takes: bool) -> int:
        steps = function.flow.steps
        return sum(
            lock.kind in READ_SIDE and call.takes is takes and not steps[number].name.startswith("guard")
            for number, lock, call in function.locks
        )

    fewer = calls(before, takes=True) - calls(after, takes=True)
    return fewer > 0 and calls(before, takes=False) <= calls(after, takes=False)


def moved(code: WorldFacts, before: WorldFacts) -> bool:
    """Whether sections appear elsewhere: the callers, or a callback's, may have taken over."""
    return any(
        (old := counterpart(before, function)) is None or old.sections < function.sections
        for function in code.in_focus
        if function.sections
    )


def uncovered(before: Function, after: Function, *, elsewhere: bool) -> tuple[int, float] | None:
    """The step that lost its section, with the confidence; what RCU is asked for by name comes first."""
    steps, held = before.flow.steps, before.held
    covered = {_place(step) for number, step in enumerate(steps) if held[number].always(READ_SIDE)}
    if covered:
        covered -= {_place(step) for number, step in enumerate(steps) if not _protected(before, number)}
    # Where the lock is out of sight, it is the unlock that moves.
    hidden = before.flow.has_gap and after.locks
    perhaps = {_place(step) for number, step in enumerate(steps) if hidden and held[number].states == {()}}
    if not covered and not perhaps:
        return None
    vanished = bool(before.sections) and not after.sections and before.signature == after.signature
    loaded = _loaded(before)
    best: tuple[int, float] | None = None
    for number, step in enumerate(after.flow.steps):
        lost = _place(step) in covered or (_place(step) in perhaps and _left(after, number))
        if not lost or not after.held[number].states or _protected(after, number):
            continue
        if is_read(step):
            return number, 0.7
        passed = loaded & (step.uses | frozenset(arg.lstrip("&*") for arg in step.args))
        reports = step.kind is StepKind.CALL and bool(step.args) and _REPORTS.match(step.name) is not None
        uses = reports or (vanished and not elsewhere and _looks_up(step))
        weight = 0.65 if passed else 0.5 if uses else 0.0
        if weight > (best[1] if best else 0.0):
            best = number, weight
    return best


def _left(function: Function, number: int) -> bool:
    """Whether every way to a step has left a section that it did not enter in sight."""
    states = function.held[number].states
    return bool(states) and all(any(n < 0 and lock.kind in READ_SIDE for lock, n in state) for state in states)


def _place(step: Step) -> tuple[StepKind, str, tuple[str, ...]]:
    return step.kind, step.name, step.args or (tight(step.code),)


def _looks_up(step: Step) -> bool:
    """Whether a call may read what the section protected: it does not change, make or end anything by its name."""
    if step.kind is not StepKind.CALL or not step.name.isidentifier() or step.name.isupper():
        return False
    return not _UPDATES.search(step.name)


def _protected(function: Function, number: int) -> bool:
    """Whether any way to a step holds anything: a lock may do what the section did."""
    return any(count > 0 for state in function.held[number].states for _, count in state)


def _loaded(function: Function) -> frozenset[str]:
    """The variables that reads of the function fill."""
    found = {step.target for step in function.flow.steps if step.target and is_read(step)}
    walks = (step for step in function.flow.steps if step.kind is StepKind.WALK and is_read(step))
    found.update(step.args[WALKS[step.name].cursor or 0] for step in walks if step.args)
    return frozenset(found)
