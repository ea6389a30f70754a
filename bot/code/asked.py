"""What a single step asks for: the section or the locks that a read, a walk or an assertion names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.code.flow import Step, StepKind
from bot.code.vocabulary import RCU, READS, SRCU, WALKS
from bot.model import Contract

_WORD = re.compile(r"\w+")
_IS_HELD = re.compile(r"lockdep_is_held(?:_type)?+\(([^()]*+)(?:\([^()]*+\)[^()]*+)?+\)")
_SRCU_HELD = re.compile(r"srcu_read_lock_held\(([^()]*+)\)")
_RCU_HELD = re.compile(r"rcu_read_lock_(?:bh_|sched_|any_)?+held\(\)")
_RTNL_HELD = re.compile(r"(?:lockdep_rtnl|rtnl)_is_(?:held|locked)\(\)")
_NO_USER = re.compile(r"!refcount_read\(&?+[\w>.-]*?users_count\)")
_ASSERTS = {"RCU_LOCKDEP_WARN": "!", "WARN_ON": "!", "WARN_ON_ONCE": "!", "lockdep_assert": ""}
_IN_READER = frozenset(
    {"lockdep_assert_in_rcu_read_lock", "lockdep_assert_in_rcu_reader", "lockdep_assert_in_rcu_read_lock_bh"}
)
RTNL = "rtnl"


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


def argument(step: Step, number: int | None) -> str:
    return step.args[number] if number is not None and number < len(step.args) else ""


def asked_at(step: Step) -> tuple[Need, str] | None:
    """What a step asks for, and what it reads: a dereference, a walk, an assertion."""
    if step.name in WALKS and WALKS[step.name].rcu and step.kind in {StepKind.CALL, StepKind.WALK}:
        walk = WALKS[step.name]
        need = _conditioned(walk.flavour, "", argument(step, walk.condition))
        return (need, argument(step, walk.head)) if need else None
    if step.kind is not StepKind.CALL:
        return None
    if step.name in READS and "_raw" not in step.name:
        kind = READS[step.name]
        condition = argument(step, 2 if kind == SRCU else 1) if step.name.endswith("_check") else ""
        if step.name.endswith("_rtnl"):
            condition = "lockdep_rtnl_is_held()"
        need = _conditioned(kind, last_name(argument(step, 1)) if kind == SRCU else "", condition)
        return (need, argument(step, 0)) if need else None
    if step.name in _IN_READER:
        return Need(RCU), ""
    sign = _ASSERTS.get(step.name)
    said = argument(step, 0)
    if sign is None or not said.startswith(sign) or "read_lock" not in said:
        return None
    need = _conditioned(SRCU if "srcu_read_lock_held" in said else RCU, "", said.removeprefix(sign))
    return (need, "") if need else None
