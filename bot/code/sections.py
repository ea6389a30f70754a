"""Which read-side sections and locks may be held before each step of a flow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.code.flow import Flow, Step, StepKind
from bot.code.vocabulary import ATOMIC, GUARDS, LOCK_CALLS, READ_SIDE, SRCU, LockCall

_TRIES = re.compile(
    r"\b(" + "|".join(name for name, call in LOCK_CALLS.items() if call.tries) + r")\(([^()]*(?:\([^()]*\))?[^()]*)\)"
)
_MAX_STATES = 48
_ENOUGH_TURNS = 40


@dataclass(frozen=True, slots=True, order=True)
class Lock:
    """A lock or section: its kind (vocabulary) and its object as spelled, "" when it has none."""

    kind: str
    what: str = ""


State = tuple[tuple[Lock, int], ...]
"""How often each lock is held, sorted; a negative count is one that the caller held and this function dropped."""


@dataclass(frozen=True, slots=True)
class Held:
    """The possible states before one step, one for each way to get there."""

    states: frozenset[State]

    def always(self, kinds: Iterable[str]) -> tuple[Lock, ...]:
        """The locks of these kinds that every path holds."""
        wanted = frozenset(kinds)
        sets = [{lock for lock, count in state if count > 0 and lock.kind in wanted} for state in self.states]
        return tuple(sorted(set.intersection(*sets))) if sets else ()

    def ever(self, kinds: Iterable[str]) -> tuple[Lock, ...]:
        """The locks of these kinds that some path holds."""
        wanted = frozenset(kinds)
        return tuple(sorted({lock for state in self.states for lock, n in state if n > 0 and lock.kind in wanted}))

    @property
    def reading(self) -> bool:
        return bool(self.always(READ_SIDE))

    @property
    def atomic(self) -> bool:
        return bool(self.always(ATOMIC))


def lock_of(step: Step) -> tuple[Lock, LockCall] | None:
    """What a call step takes or drops, None for any other step and for a trylock."""
    if step.kind is not StepKind.CALL:
        return None
    if step.name in {"guard", "guard_exit"}:
        kind = GUARDS.get(step.args[0]) if step.args else None
        if kind is None:
            return None
        return Lock(kind, step.args[1] if len(step.args) > 1 else ""), LockCall(kind, step.name == "guard", 1)
    call = LOCK_CALLS.get(step.name)
    if call is None or call.tries:
        return None
    what = ""
    if call.argument is not None and len(step.args) > call.argument:
        what = step.args[call.argument]
        if step.name.startswith("kvm_vcpu_srcu_"):
            what = f"&{what}->kvm->srcu"
    return Lock(call.kind, what), call


def _changed(state: State, lock: Lock, by: int) -> State:
    counts = dict(state)
    if by < 0 and counts.get(lock, 0) <= 0:
        # Another spelling of the same object: drop the only one of its kind rather than lose the unlock.
        others = [other for other, count in state if other.kind == lock.kind and count > 0]
        if len(others) == 1:
            lock = others[0]
    counts[lock] = max(-2, min(counts.get(lock, 0) + by, 4))
    return tuple(sorted((key, count) for key, count in counts.items() if count))


def _step(state: State, step: Step) -> State:
    if step.kind is StepKind.CALL:
        found = lock_of(step)
        return _changed(state, found[0], 1 if found[1].takes else -1) if found else state
    if step.kind is StepKind.ASSUME and step.name:
        for match in _TRIES.finditer(step.name):
            call = LOCK_CALLS[match[1]]
            negated = step.name[: match.start()].endswith("!")
            if negated != step.truth:
                what = match[2].split(",")[0].strip() if call.argument is not None else ""
                state = _changed(state, Lock(call.kind, what), 1)
        if step.truth and re.match(r"(mutex_lock|down\w*|mmap_write_lock)_(interruptible|killable)\(", step.name):
            held = [lock for lock, count in state if count > 0 and lock.kind not in READ_SIDE]
            state = _changed(state, held[-1], -1) if held else state
    return state


def held_at(flow: Flow) -> tuple[Held, ...]:
    """The possible states before each step.  Linear in steps for all but hostile code, which is cut short."""
    states: list[set[State]] = [set() for _ in flow.steps]
    if not flow.steps:
        return ()
    states[0].add(())
    pending = [0]
    turns = [0] * len(flow.steps)
    while pending:
        number = pending.pop()
        turns[number] += 1
        if turns[number] > _ENOUGH_TURNS:
            continue
        out = {_step(state, flow.steps[number]) for state in states[number]}
        for follower in flow.next[number]:
            fresh = out - states[follower]
            if fresh and len(states[follower]) < _MAX_STATES:
                states[follower] |= fresh
                pending.append(follower)
    return tuple(Held(frozenset(found)) for found in states)


def same_domain(lock: Lock, what: str) -> bool:
    """Whether an SRCU section is of the domain spelled ``what``; unknown spellings of one field count as the same."""
    return lock.kind == SRCU and (lock.what == what or lock.what.rsplit(">", 1)[-1] == what.rsplit(">", 1)[-1])
