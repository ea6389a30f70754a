"""irq-routing-without-irq-srcu: KVM's interrupt routes are read outside of kvm->irq_srcu."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.structs import UNKNOWN, Key
from bot.code.vocabulary import MUTEX, READ_SIDE, RWLOCK, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

_ROUTING = Key("kvm", "irq_routing")
_LOOKUP = re.compile(r"kvm_irq_map_(?:gsi|chip_pin)")
_LOCKS = frozenset({MUTEX, SPIN, RWLOCK})

MAPPED = Example(
    "a lookup of a route with no section around it",
    """\
+static int gadget_route(struct kvm *kvm, int gsi)
+{
+	struct kvm_kernel_irq_routing_entry entries[KVM_NR_IRQCHIPS];
+
+	return kvm_irq_map_gsi(kvm, entries, gsi); // <-- warns
+}
+
+int gadget_ioctl(struct kvm *kvm, int gsi)
+{
+	return gadget_route(kvm, gsi);
+}
""",
)

WRONG = Example(
    "the table is followed inside kvm->srcu, which its updater does not wait for",
    """\
+static int gadget_count(struct kvm *kvm)
+{
+	struct kvm_irq_routing_table *table;
+
+	guard(srcu)(&kvm->srcu);
+	table = rcu_dereference_check(kvm->irq_routing, 1); // <-- warns
+	return table->nr_rt_entries;
+}
+
+int gadget_ioctl(struct kvm *kvm)
+{
+	return gadget_count(kvm);
+}
""",
)

HELD = Example(
    "a section, the update lock, a condition, a contract, and the route that an irqfd keeps",
    """\
+static int gadget_route(struct kvm *kvm, int gsi)
+{
+	struct kvm_kernel_irq_routing_entry entries[KVM_NR_IRQCHIPS];
+
+	guard(srcu)(&kvm->irq_srcu);
+	return kvm_irq_map_gsi(kvm, entries, gsi);
+}
+
+static void gadget_update(struct kvm *kvm)
+{
+	struct kvm_irq_routing_table *old;
+
+	mutex_lock(&kvm->irq_lock);
+	old = rcu_dereference_protected(kvm->irq_routing, 1);
+	gadget_note(old->nr_rt_entries);
+	mutex_unlock(&kvm->irq_lock);
+}
+
+static int gadget_count(struct kvm *kvm)
+{
+	return srcu_dereference_check(kvm->irq_routing, &kvm->irq_srcu, lockdep_is_held(&kvm->irq_lock))->nr_rt_entries;
+}
+
+/* Called with irq_srcu held. */
+static int gadget_pin(struct kvm *kvm, int pin)
+{
+	return kvm_irq_map_chip_pin(kvm, 0, pin);
+}
+
+static int gadget_cached(struct kvm_kernel_irqfd *irqfd)
+{
+	return irqfd->irq_entry.gsi;
+}
""",
)

NO_CALLER = Example(
    "nobody in sight calls the function",
    """\
+int gadget_pin(struct kvm *kvm, int pin)
+{
+	return kvm_irq_map_chip_pin(kvm, 0, pin);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/virt/kvm/locking.rst", "Documentation/RCU/checklist.rst item 7"),
    why="""KVM_SET_GSI_ROUTING replaces the table, waits for the readers of kvm->irq_srcu and frees the old one.  A
    reader without that section follows freed memory.""",
    instead="Take guard(srcu)(&kvm->irq_srcu) around the lookup and the use of what it found.",
    bad=(MAPPED, WRONG),
    good=(HELD,),
    blind_spots=(NO_CALLER,),
    replaces=("unlocked-rcu-traversal", "wrong-dereference-flavour", "read-lock-removed"),
)
def irq_routing_without_irq_srcu(code: Code) -> Iterator[Hit]:
    """KVM's interrupt routes are looked up with neither kvm->irq_srcu nor kvm->irq_lock held."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            if not _reads(code, function, step) or _protected(function, number):
                continue
            callers = [caller for caller, place in code.facts.callers(function) if place >= 0]
            if callers and not held_by_caller(code.facts, function):
                yield _warning(function, step, callers[0])


def _reads(code: Code, function: Function, step: Step) -> bool:
    """Whether a step looks a route up, or follows the table."""
    if step.kind is not StepKind.CALL:
        return False
    if _LOOKUP.fullmatch(step.name):
        return True
    follows = step.name in {"srcu_dereference", "rcu_dereference", "rcu_dereference_check"}
    if not follows or not step.args:
        return False
    key = code.facts.structs.resolve(step.args[0], function.variables, function.aliases)
    return key == _ROUTING or key == Key(UNKNOWN, _ROUTING.member)


def _protected(function: Function, number: int) -> bool:
    """Whether some way to a step holds irq_srcu, or any lock, or a section of unknown domain."""
    held = function.held[number]
    if held.ever(_LOCKS) or not held.states:
        return True
    return any("->srcu" not in lock.what for lock in held.ever(READ_SIDE))


def _warning(function: Function, step: Step, caller: Function) -> Hit:
    return hit_at(
        function,
        step,
        str(_ROUTING),
        f"{step.name}() reads kvm->irq_routing outside of kvm->irq_srcu",
        (
            step_evidence(Role.READER, function, step),
            nothing_found(
                Role.LOCK, f"neither irq_srcu nor irq_lock in {function.name}() or its caller {caller.name}()"
            ),
        ),
        question="Which section covers the lookup?",
        cure="If none: guard(srcu)(&kvm->irq_srcu).",
    )
