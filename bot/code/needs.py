"""What a function needs its callers to hold: the sections of the reads that it, or a callee, has no section for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.reach import Reach, reads_itself
from bot.code.sections import Lock, lock_of
from bot.code.tables import Tables
from bot.code.vocabulary import FRESH, RCU, READ_SIDE, READS, SRCU, WALKS
from bot.model import Contract, Known

_WORD = re.compile(r"\w+")
_IS_HELD = re.compile(r"lockdep_is_held(?:_type)?+\(([^()]*+)(?:\([^()]*+\)[^()]*+)?+\)")
_SRCU_HELD = re.compile(r"srcu_read_lock_held\(([^()]*+)\)")
_RCU_HELD = re.compile(r"rcu_read_lock_(?:bh_|sched_|any_)?+held\(\)")
_RTNL_HELD = re.compile(r"(?:lockdep_rtnl|rtnl)_is_(?:held|locked)\(\)")
_NO_USER = re.compile(r"!refcount_read\(&?+[\w>.-]*?users_count\)")
_ASSERTS = {"RCU_LOCKDEP_WARN": "!", "WARN_ON": "!", "WARN_ON_ONCE": "!", "lockdep_assert": ""}
_IN_READER = {"lockdep_assert_in_rcu_read_lock", "lockdep_assert_in_rcu_reader", "lockdep_assert_in_rcu_read_lock_bh"}
_TAKES = re.compile(r"(?:^|_)(?:(?:try)?lock(?:ed)?|begin|enter|acquire|live)(?:_|$)")
_DROPS = re.compile(r"unlock|(?:^|_)(?:is|assert|held|init|destroy)(?:_|$)")
_LAST_USER = "users_count"
_DEPTH = 10  # calls followed
_MAX_TARGETS = 4  # of one call through a table
RTNL = "rtnl"
_CONSTANTS = re.compile(r"(?:[A-Z][A-Z0-9_]*+|\d\w*+|true|false)(?: ?\| ?[A-Z][A-Z0-9_]*+)*+")
_TEST = re.compile(r"(\w++)(?:(==|&)([A-Z][A-Z0-9_]*+|\d\w*+|true|false))?")
_THROUGH = frozenset({"kvm_x86_call", "static_call", "static_call_cond"})  # (name)(arguments)
_NOUGHT = frozenset({"0", "false", "NULL"})


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """A section, by kind and the last name of its domain, or any of ``locks``, by their last names.

    ``idle``: nothing is needed while nobody uses the owner of what is read.
    """

    kind: str
    domain: str = ""
    locks: tuple[str, ...] = ()
    idle: bool = False

    def met_by(self, what: str) -> bool:
        """Whether a lock does.  Any does for RCU: which one the updaters share is not always in sight."""
        if self.kind != SRCU:
            return True
        return last_name(what) in {self.domain, *self.locks}


Given = frozenset[tuple[int, str, bool]]
"""What a way asks of parameters: (place, value, truth): it is ``value``, has the flag ``&value`` or, "", is true."""


@dataclass(frozen=True, slots=True)
class Way:
    """The steps from a function down to a read that no section covers, and what is read there."""

    steps: tuple[tuple[Function, int], ...]
    reads: str
    given: Given = frozenset()


def last_name(expression: str) -> str:
    """``srcu`` of ``&vcpu->kvm->srcu``."""
    words = _WORD.findall(expression)
    return words[-1] if words else ""


def need_of(contract: Contract) -> Need:
    """What a contract known beforehand asks."""
    domain = next((need for need in contract.needs if need.endswith("srcu")), "")
    locks = {last_name(need) for need in contract.needs} - {last_name(domain), RCU, "user"}
    return Need(SRCU if domain else RCU, last_name(domain), tuple(sorted(locks)), "no user" in contract.needs)


def _conditioned(kind: str, domain: str, condition: str) -> Need | None:
    """The need of a read with a lockdep condition; None when the condition says what cannot be followed."""
    rest, locks = condition, set()
    for found in _IS_HELD.finditer(condition):
        locks.add(last_name(found[1]))
    if _RTNL_HELD.search(rest):
        locks.add(RTNL)
    for found in _SRCU_HELD.finditer(condition):
        if kind != SRCU or domain not in {"", last_name(found[1])}:
            return None
        domain = last_name(found[1])
    idle = bool(_NO_USER.search(rest))
    for pattern in (_IS_HELD, _SRCU_HELD, _RCU_HELD, _RTNL_HELD, _NO_USER):
        rest = pattern.sub("", rest)
    if _WORD.search(rest) or (kind == SRCU and not domain):
        return None  # a constant, a flag, a function: the caller may be known to be right
    return Need(kind, domain, tuple(sorted(locks - {""})), idle)


def _argument(step: Step, number: int | None) -> str:
    return step.args[number] if number is not None and number < len(step.args) else ""


def asked_at(step: Step) -> tuple[Need, str] | None:
    """What a step asks for, and what it reads: a dereference, a walk, an assertion."""
    if step.name in WALKS and WALKS[step.name].rcu and step.kind in {StepKind.CALL, StepKind.WALK}:
        walk = WALKS[step.name]
        need = _conditioned(walk.flavour, "", _argument(step, walk.condition))
        return (need, _argument(step, walk.head)) if need else None
    if step.kind is not StepKind.CALL:
        return None
    if step.name in READS and "_raw" not in step.name:
        kind = READS[step.name]
        condition = _argument(step, 2 if kind == SRCU else 1) if step.name.endswith("_check") else ""
        if step.name.endswith("_rtnl"):
            condition = "lockdep_rtnl_is_held()"
        need = _conditioned(kind, last_name(_argument(step, 1)) if kind == SRCU else "", condition)
        return (need, _argument(step, 0)) if need else None
    if step.name in _IN_READER:
        return Need(RCU), ""
    sign = _ASSERTS.get(step.name)
    said = _argument(step, 0)
    if sign is None or not said.startswith(sign) or "read_lock" not in said:
        return None
    need = _conditioned(SRCU if "srcu_read_lock_held" in said else RCU, "", said.removeprefix(sign))
    return (need, "") if need else None


class Needs:
    """The needs of the functions of one world, each worked out once."""

    def __init__(self, code: WorldFacts, known: Known) -> None:
        self.code, self.known = code, known
        self.tables = Tables(code.world.images)
        self._reach = Reach(code, _DEPTH)
        self._found: dict[tuple[Function, int], Mapping[Need, Way]] = {}
        self._left: dict[tuple[Function, int], tuple[Lock, ...]] = {}

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
                        found[need] = replace(way, given=way.given | _given_at(function, number))
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
                given = _passed_on(function, step, way.given)
                if given is not None and not (need.idle and _LAST_USER in function.words):
                    found.setdefault(need, Way(((function, number), *way.steps), way.reads, given))
        contract = self.known.contracts.get(step.name)
        # Where a tree shows the function, the tree is right.
        if contract is not None and all(callee.flow.has_gap for callee in callees):
            found.setdefault(need_of(contract), Way(((function, number),), contract.reads))
        return found

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
        if any("IS_ENABLED(" in condition for condition in function.flow.known_at(number)):
            return False  # perhaps nothing of it is compiled
        if _of_new_object(function, number):
            return False  # what it could read of is not set up yet
        before = [function.flow.steps[place] for place in function.flow.before(number)]
        if any(step.kind is StepKind.GAP for step in before):
            return self.dropped(function, number, need)
        return not any(self._may_take(function, step, need) for step in before)

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
            return need.kind != SRCU or "srcu" in step.args[0]
        callee = self.code.defined(step.name, function.path)
        if callee is None or callee is function:
            takes = _TAKES.search(step.name) is not None and not _DROPS.search(step.name)
            return takes and (need.kind != SRCU or "lock" in step.name)
        return any(need.met_by(lock.what) for lock in self.left(callee))

    def left(self, function: Function, depth: int = 2) -> tuple[Lock, ...]:
        """The locks that a function may leave held for its caller to drop."""
        place = (function, depth)
        if place not in self._left:
            self._left[place] = ()
            self._left[place] = tuple(self._leaves(function, depth))
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


def _of_new_object(function: Function, number: int) -> bool:
    """Whether a call is about an object that the function has just made."""
    step = function.flow.steps[number]
    first = _WORD.search(_argument(step, int(step.name in _THROUGH)))
    return first is not None and any(
        made.kind is StepKind.CALL and made.target == first[0] and (made.name in FRESH or "alloc" in made.name)
        for made in function.flow.steps
    )


def _given_at(function: Function, number: int) -> Given:
    """What is known of parameters at a step."""
    given = set()
    for condition, truth in function.flow.known_at(number).items():
        test = _TEST.fullmatch(condition)
        if test is not None and test[1] in function.parameters:
            value = f"{test[2] or ''}{test[3] or ''}".removeprefix("==")
            given.add((function.parameters.index(test[1]), value, truth))
    return frozenset(given)


def _passed_on(function: Function, step: Step, given: Given) -> Given | None:
    """What a way through a callee asks of the caller's own parameters; None when the arguments rule it out."""
    kept = set()
    shift = int(step.name in _THROUGH)
    for place, value, truth in given:
        argument = _argument(step, place + shift)
        if _CONSTANTS.fullmatch(argument):
            if value.startswith("&"):
                equal = value[1:] in _WORD.findall(argument)
            else:
                equal = argument == value if value else argument not in _NOUGHT
            if equal is not truth:
                return None
        elif argument in function.parameters:
            kept.add((function.parameters.index(argument), value, truth))
    return frozenset(kept)


def _member(step: Step) -> str:
    """The member of a table that a step calls through, "" for a call by name."""
    if step.name in _THROUGH and step.args:
        return step.args[0].removeprefix("kvm_x86_")
    found = re.search(r"(?:->|\.)(\w+)\)?$", step.name)
    return found[1] if found else ""
