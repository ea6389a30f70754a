"""Which read-side sections and locks may be held before each step of a flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush

from bot.code.flow import Flow, Step, StepKind
from bot.code.vocabulary import ASSERTED, ASSERTIONS, ATOMIC, GUARDS, LOCK_CALLS, READ_SIDE, SRCU, LockCall

_MAX_STATES = 24
_MAX_LOCKS = 16  # different ones in a function; no more than five in eleven thousand of the kernel's
_TURNS = 32  # states that may pass a step, on average
_ENOUGH = 5_000  # that may pass in any function
_LEAST, _MOST = -2, 4  # nesting that is told apart
_NEAR = 4  # steps between a call and the test of its result


@dataclass(frozen=True, slots=True, order=True)
class Lock:
    """A lock or section: its kind (vocabulary) and its object as spelled, "" when it has none."""

    kind: str
    what: str = ""


State = tuple[tuple[Lock, int], ...]
"""How often each lock is held, sorted; a negative count is one that the caller held and this function dropped."""


# A member of a step's states that says: the others are the bounds of what may be held here.
_BOUNDS: State = ((Lock("bounds"), 0),)


@dataclass(frozen=True, slots=True)
class Held:
    """The possible states before one step, one for each way to get there."""

    states: frozenset[State]

    def always(self, kinds: Iterable[str]) -> tuple[Lock, ...]:
        """The locks of these kinds that every path holds."""
        return _always(self.states, frozenset(kinds))

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


@lru_cache(maxsize=4096)  # steps of a stretch share their states, and every rule asks
def _always(states: frozenset[State], kinds: frozenset[str]) -> tuple[Lock, ...]:
    sets = [{lock for lock, count in state if count > 0 and lock.kind in kinds} for state in states]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


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
    return Lock(call.kind, _object(step, call)), call


def locks_in(flow: Flow) -> tuple[tuple[int, Lock, LockCall], ...]:
    """The steps that take or drop something, with what they do."""
    return tuple((n, *found) for n, step in enumerate(flow.steps) if (found := lock_of(step)) is not None)


def _object(step: Step, call: LockCall) -> str:
    if call.argument is None or len(step.args) <= call.argument:
        return ""
    what = step.args[call.argument]
    return f"&{what}->{call.member}" if call.member else what


def _changed(state: State, lock: Lock, by: int) -> State:
    counts = dict(state)
    if by < 0:
        counts.pop(Lock(ASSERTED, lock.what), None)
        if counts.get(lock, 0) <= 0:
            # Another spelling of the same object: drop the only one of its kind rather than lose the unlock.
            others = [other for other, count in state if other.kind == lock.kind and count > 0]
            if len(others) == 1:
                lock = others[0]
    counts[lock] = max(_LEAST, min(counts.get(lock, 0) + by, _MOST))
    return tuple(sorted((key, count) for key, count in counts.items() if count))


@dataclass(frozen=True, slots=True)
class _Effect:
    """What one step does to the locks."""

    lock: Lock
    by: int = 0  # 0: says that it is held

    def on(self, state: State) -> State:
        if self.by:
            return _changed(state, self.lock, self.by)
        if any(count > 0 and lock.what == self.lock.what for lock, count in state):
            return state
        return tuple(sorted((*state, (self.lock, 1))))


def _effects(flow: Flow) -> dict[int, _Effect]:
    """The steps that matter to locks: calls, assertions, and the outcomes of tries."""
    found: dict[int, _Effect] = {}
    known: set[Lock] = set()
    for number, step in enumerate(flow.steps):
        effect = _of_call(step) if step.kind is StepKind.CALL else None
        if step.kind is StepKind.ASSUME:
            effect = _of_outcome(flow, number)
        if effect is None or (effect.lock not in known and len(known) >= _MAX_LOCKS):
            continue
        known.add(effect.lock)
        found[number] = effect
    return found


def _of_call(step: Step) -> _Effect | None:
    if step.name in ASSERTIONS:
        kind, argument = ASSERTIONS[step.name]
        return _Effect(Lock(kind, step.args[argument] if argument is not None and step.args else ""))
    lock = lock_of(step)
    return _Effect(lock[0], 1 if lock[1].takes else -1) if lock else None


def _of_outcome(flow: Flow, number: int) -> _Effect | None:
    """A try that succeeded here, or an interruptible lock that failed."""
    assumed = flow.steps[number]
    step = _tested(flow, number)
    call = LOCK_CALLS.get(step.name) if step else None
    if step is None or call is None:
        return None
    lock = Lock(call.kind, _object(step, call))
    if call.tries:
        return _Effect(lock, 1) if assumed.truth else None
    return _Effect(lock, -1) if call.may_fail and assumed.truth else None


def _tested(flow: Flow, number: int) -> Step | None:
    """The call whose result an assumption is about: ``if (trylock(x))``, or ``r = trylock(x); if (r)``."""
    name = flow.steps[number].name.removesuffix(" < 0")
    for _ in range(_NEAR):
        before = flow.previous[number]
        if len(before) != 1:
            return None
        number = before[0]
        step = flow.steps[number]
        if step.kind is StepKind.CALL:
            if step.target == name or name.startswith(f"{step.name}("):
                return step
            if step.name in LOCK_CALLS:
                return None
    return None


def held_at(flow: Flow) -> tuple[Held, ...]:
    """The possible states before each step.

    Each state passes each step once, and a step keeps few: so the work is linear in the steps.  Beyond the bounds,
    which no real function reaches, the states of a step are replaced by their least and their most.
    """
    if not flow.steps:
        return ()
    effects = _effects(flow)
    states: list[set[State]] = [set() for _ in flow.steps]
    states[0].add(())
    fresh: dict[int, set[State]] = {0: {()}}
    pending = [0]  # in program order, so that a step is passed after the steps before it
    budget = max(_TURNS * len(flow.steps), _ENOUGH)
    while pending and budget > 0:
        number = heappop(pending)
        out = fresh.pop(number)
        budget -= len(out)
        if number in effects:
            out = {effects[number].on(state) for state in out}
        for follower in flow.next[number]:
            new = _joined(states[follower], out)
            if new:
                if follower not in fresh:
                    heappush(pending, follower)
                fresh.setdefault(follower, set()).update(new)
    if pending:
        return (Held(frozenset()),) * len(flow.steps)
    interned: dict[frozenset[State], Held] = {}
    return tuple(
        interned.setdefault(frozen, Held(frozen)) for frozen in (frozenset(found - {_BOUNDS}) for found in states)
    )


def _joined(known: set[State], out: set[State]) -> set[State]:
    """Add states to those of a step; what is new about them is returned.  Too many become their bounds for good."""
    new = out - known
    if not new:
        return new
    if len(known) + len(new) <= _MAX_STATES and _BOUNDS not in known:
        known |= new
        return new
    before = frozenset(known)
    known |= new
    known.discard(_BOUNDS)
    least, most = _hull(known, min), _hull(known, max)
    known.clear()
    known.update((least, most, _BOUNDS))
    return known - before - {_BOUNDS}


def _hull(states: Iterable[State], extreme: Callable[[Iterable[int]], int]) -> State:
    counts = [dict(state) for state in states]
    locks = sorted({lock for state in counts for lock in state})
    hull = ((lock, extreme([state.get(lock, 0) for state in counts])) for lock in locks)
    return tuple((lock, count) for lock, count in hull if count)


def same_domain(lock: Lock, what: str) -> bool:
    """Whether an SRCU section is of the domain spelled ``what``; unknown spellings of one field count as the same."""
    return lock.kind == SRCU and (lock.what == what or lock.what.rsplit(">", 1)[-1] == what.rsplit(">", 1)[-1])
