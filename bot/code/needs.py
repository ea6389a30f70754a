"""What a function needs its callers to hold: the sections of the reads that it, or a callee, has no section for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from bot.code.asked import Need, argument, asked_at, last_name, need_of
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.given import THROUGH, Given, given_at, passed_on
from bot.code.protection import WorldFacts
from bot.code.reach import Reach, reads_itself
from bot.code.sections import Lock, lock_of
from bot.code.tables import Tables
from bot.code.vocabulary import FRESH, READ_SIDE, SRCU
from bot.model import Known

_WORD = re.compile(r"\w+")
_TAKES = re.compile(r"(?:^|_)(?:(?:try)?lock(?:ed)?|begin|enter|acquire|live)(?:_|$)")
_DROPS = re.compile(r"unlock|(?:^|_)(?:is|assert|held|init|destroy)(?:_|$)")
_LAST_USER = "users_count"
_DEPTH = 10  # calls followed
_MAX_NEEDS = 12  # of one function; those of the kernel have no more than three
_MAX_TARGETS = 4  # of one call through a table


@dataclass(frozen=True, slots=True)
class Way:
    """The steps from a function down to a read that no section covers, and what is read there."""

    steps: tuple[tuple[Function, int], ...]
    reads: str
    given: Given = frozenset()


class Needs:
    """The needs of the functions of one world, each worked out once."""

    def __init__(self, code: WorldFacts, known: Known) -> None:
        self.code, self.known = code, known
        self.tables = Tables(code.world.images)
        self._reach = Reach(code, _DEPTH)
        self._found: dict[tuple[Function, int], Mapping[Need, Way]] = {}
        self._left: dict[tuple[Function, int], frozenset[Lock]] = {}
        self._gaps: dict[Function, frozenset[int]] = {}
        self._takers: dict[Function, dict[Need, frozenset[int]]] = {}
        self._made: dict[Function, frozenset[str]] = {}

    def of(self, function: Function, depth: int = _DEPTH) -> Mapping[Need, Way]:
        """What a caller must hold, with the first way to a read that needs it."""
        place = (function, depth)
        found = self._found.get(place)
        if found is None:
            self._found[place] = {}  # recursion ends here
            found = {}
            for number in self.places(function):
                for need, way in self.at(function, number, depth).items():
                    if need not in found and self.open(function, number, need):
                        found[need] = replace(way, given=way.given | given_at(function, number))
            self._found[place] = found
        return found

    def places(self, function: Function) -> range:
        """The steps of a function that may need something; none when no name in it leads to a read."""
        reads = reads_itself(function) or self._reach.readers(function) or self._through(function)
        return range(len(function.flow.steps)) if reads else range(0)

    def _through(self, function: Function) -> bool:
        """Whether a function calls through tables that a reader stands in."""
        return any(
            self._reach.leads(name, _DEPTH)
            for member in function.words & self.tables.members
            for name, _ in self.tables.targets(member)
        )

    def at(self, function: Function, number: int, depth: int = _DEPTH) -> Mapping[Need, Way]:
        """What one step needs, whatever is held there."""
        step = function.flow.steps[number]
        if (asked := asked_at(step)) is not None:
            return {asked[0]: Way(((function, number),), asked[1])}
        if step.kind is not StepKind.CALL:
            return {}
        found: dict[Need, Way] = {}
        callees = self.callees(function, step)
        for callee in callees if depth > 0 else ():
            for need, way in self.of(callee, depth - 1).items():
                given = passed_on(function, step, way.given)
                if given is not None and not (need.idle and _LAST_USER in function.words):
                    found.setdefault(need, Way(((function, number), *way.steps), way.reads, given))
        contract = self.known.contracts.get(step.name)
        # Where a tree shows the function, the tree is right; some of it may be out of sight.
        if contract is not None and all(self._partly_seen(callee) for callee in callees):
            found.setdefault(need_of(contract), Way(((function, number),), contract.reads))
        return found

    def _partly_seen(self, function: Function) -> bool:
        """Whether a function holds lines that are not shown, or a call through a table that nobody in sight fills."""
        return function.flow.has_gap or any(
            step.kind is StepKind.CALL and (member := _member(step)) and not self.tables.targets(member)
            for step in function.flow.steps
        )

    def callees(self, function: Function, step: Step) -> tuple[Function, ...]:
        """The functions that a call can mean: its own name's, or what the tables put behind a member."""
        callee = self.code.defined(step.name, function.path)
        if callee is not None:
            return (callee,) if callee is not function and self._reach.leads(step.name, _DEPTH) else ()
        member = _member(step)
        targets = self.tables.targets(member) if member else ()
        if len(targets) > _MAX_TARGETS:
            return ()
        found = (self.code.defined(name, path) for name, path in targets)
        return tuple(target for target in found if target is not None and target is not function)

    def open(self, function: Function, number: int, need: Need) -> bool:
        """Whether nothing that would do is held at a step, on any way through the function, as far as it can tell."""
        held = function.held[number]
        if not held.states or any(
            count > 0 and need.met_by(lock.what) for state in held.states for lock, count in state
        ):
            return False
        if number in self._behind_gaps(function):
            return self.dropped(function, number, need) and not self._set_aside(function, number)
        return self.in_sight(function, number, need)

    def in_sight(self, function: Function, number: int, need: Need) -> bool:
        """Whether all that may take what would do, on any way to a step, is among what is held there."""
        if number in self._behind_gaps(function) or self._set_aside(function, number):
            return False
        behind = self._behind_takers(function, need)
        return behind is not None and number not in behind

    def _set_aside(self, function: Function, number: int) -> bool:
        """Whether a step perhaps needs nothing: not compiled, or about an object that is not set up yet."""
        if "IS_ENABLED(" in function.text and any("IS_ENABLED(" in told for told in function.flow.known_at(number)):
            return True
        return self._of_new_object(function, number)

    def _behind_gaps(self, function: Function) -> frozenset[int]:
        """The steps that a way from lines which are not shown leads to."""
        if function not in self._gaps:
            steps = enumerate(function.flow.steps)
            gaps = [number for number, step in steps if step.kind is StepKind.GAP]
            self._gaps[function] = _reached(function, gaps)
        return self._gaps[function]

    def _behind_takers(self, function: Function, need: Need) -> frozenset[int] | None:
        """The steps behind calls which may take a lock that would do; None for a need too many in one function."""
        known = self._takers.setdefault(function, {})
        if need not in known:
            if len(known) == _MAX_NEEDS:
                return None
            steps = enumerate(function.flow.steps)
            takers = [number for number, step in steps if self._may_take(function, step, need)]
            known[need] = _reached(function, takers)
        return known[need]

    def _of_new_object(self, function: Function, number: int) -> bool:
        """Whether a call is about an object that the function has just made."""
        if function not in self._made:
            self._made[function] = frozenset(
                step.target
                for step in function.flow.steps
                if step.kind is StepKind.CALL and step.target and (step.name in FRESH or "alloc" in step.name)
            )
        step = function.flow.steps[number]
        first = _WORD.search(argument(step, int(step.name in THROUGH)))
        return first is not None and first[0] in self._made[function]

    def dropped(self, function: Function, number: int, need: Need) -> bool:
        """Whether every way to a step has dropped the section that the caller, or hidden lines, took."""
        states = function.held[number].states
        return bool(states) and all(
            any(
                count < 0
                and lock.kind in READ_SIDE
                and (lock.kind == need.kind)
                and (need.kind != SRCU or last_name(lock.what) == need.domain)
                for lock, count in state
            )
            for state in states
        )

    def _may_take(self, function: Function, step: Step, need: Need) -> bool:
        """Whether a call may come back with a lock held that would do."""
        if step.kind is not StepKind.CALL or lock_of(step) is not None:
            return False
        if step.name == "guard":  # of a class that the vocabulary does not know
            return need.kind != SRCU or "srcu" in argument(step, 0)
        callee = self.code.defined(step.name, function.path)
        if callee is None or callee is function:
            takes = _TAKES.search(step.name) is not None and not _DROPS.search(step.name)
            return takes and (need.kind != SRCU or "lock" in step.name)
        return any(need.met_by(lock.what) for lock in self.left(callee))

    def left(self, function: Function, depth: int = 2) -> frozenset[Lock]:
        """The locks that a function may leave held for its caller to drop."""
        place = (function, depth)
        if place not in self._left:
            self._left[place] = frozenset()
            self._left[place] = frozenset(self._leaves(function, depth))
        return self._left[place]

    def _leaves(self, function: Function, depth: int) -> Iterator[Lock]:
        flow = function.flow
        for number, step in enumerate(flow.steps):
            found = lock_of(step)
            if not flow.next[number]:
                for state in function.held[number].states:
                    for lock, count in state:
                        dropped = found is not None and not found[1].takes and found[0].kind == lock.kind
                        if count > 0 and not dropped:
                            yield lock
                if found is not None and found[1].takes:
                    yield found[0]
            if depth > 0 and found is None and step.kind is StepKind.CALL:
                callee = self.code.defined(step.name, function.path)
                if callee is not None and callee is not function:
                    yield from self.left(callee, depth - 1)


def _reached(function: Function, starts: Iterable[int]) -> frozenset[int]:
    """The steps behind any of these."""
    following = function.flow.next
    seen: set[int] = set()
    pending = [after for start in starts for after in following[start]]
    while pending:
        number = pending.pop()
        if number not in seen:
            seen.add(number)
            pending.extend(following[number])
    return frozenset(seen)


def _member(step: Step) -> str:
    """The member of a table that a step calls through, "" for a call by name."""
    if step.name in THROUGH and step.args:
        return step.args[0].removeprefix("kvm_x86_")
    found = re.search(r"(?:->|\.)(\w+)\)?$", step.name)
    return found[1] if found else ""
