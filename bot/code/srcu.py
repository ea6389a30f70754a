"""Which SRCU domain an expression names, and whether two of them are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.sections import lock_of
from bot.code.structs import LOCAL, NOWHERE, UNKNOWN, Key
from bot.code.vocabulary import SRCU

_WAIT = re.compile(r"synchronize_srcu(?:_expedited)?|srcu_barrier")
_WORD = re.compile(r"\w+")

_KVM_SRCU, _KVM_IRQ_SRCU = Key("kvm", "srcu"), Key("kvm", "irq_srcu")
# Functions of the kernel that wait for a domain inside (virt/kvm/{kvm_main,eventfd,irqchip}.c).
WAITING_CALLS = {
    "kvm_io_bus_unregister_dev": _KVM_SRCU,
    "kvm_swap_active_memslots": _KVM_SRCU,
    "kvm_set_memory_region": _KVM_SRCU,
    "__kvm_set_memory_region": _KVM_SRCU,
    "kvm_set_irq_routing": _KVM_IRQ_SRCU,
    "kvm_unregister_irq_ack_notifier": _KVM_IRQ_SRCU,
    "kvm_unregister_irq_mask_notifier": _KVM_IRQ_SRCU,
}


@dataclass(frozen=True, slots=True)
class Domain:
    """An srcu_struct: the field or variable that it is, and what holds it as spelled, "" for a variable."""

    key: Key
    holder: str = ""

    def __str__(self) -> str:
        return str(self.key)

    def same(self, other: Domain) -> bool:
        """Whether two expressions of one moment name one domain for certain, as far as their spelling goes."""
        if not self.same_field(other):
            return False
        return not self.holder or not other.holder or self.holder == other.holder

    def same_field(self, other: Domain) -> bool:
        """Whether both are the same field of the same struct, perhaps of two objects."""
        mine, theirs = self.key, other.key
        if not mine.member or mine.member != theirs.member:
            return False
        return mine.owner == theirs.owner or UNKNOWN in {mine.owner, theirs.owner}

    def differs(self, other: Domain) -> bool:
        """Whether they are two fields for certain."""
        mine, theirs = self.key, other.key
        if not mine.member or not theirs.member or LOCAL in {mine.owner, theirs.owner}:
            return False
        if mine.member != theirs.member:
            return True
        return UNKNOWN not in {mine.owner, theirs.owner} and mine.owner != theirs.owner


def domain_of(code: WorldFacts, function: Function, spelled: str) -> Domain:
    """The domain that an argument such as ``&vcpu->kvm->srcu`` names; of no known field when it is a parameter."""
    key = code.structs.resolve(spelled, function.variables, function.aliases)
    words = _WORD.findall(spelled)
    if key == NOWHERE or not words:
        return Domain(NOWHERE)
    return Domain(key, words[-2] if len(words) > 1 else "")


def waited_for(code: WorldFacts, function: Function, step: Step) -> Domain | None:
    """The domain that a call waits for, None when it waits for none."""
    if step.kind is not StepKind.CALL:
        return None
    if _WAIT.fullmatch(step.name) and step.args:
        return domain_of(code, function, step.args[0])
    key = WAITING_CALLS.get(step.name)
    return Domain(key) if key else None


def read_at(code: WorldFacts, function: Function, number: int) -> Iterator[tuple[Domain, str]]:
    """The domains whose sections every way to a step holds, with their spelling."""
    for lock in function.held[number].always((SRCU,)):
        yield domain_of(code, function, lock.what), lock.what


def leaves(step: Step) -> bool:
    """Whether a step leaves an SRCU section."""
    found = lock_of(step)
    return found is not None and found[0].kind == SRCU and not found[1].takes
