"""synchronize-srcu-in-own-reader: a wait for the readers of an SRCU domain, by one of them."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.inside import opened, surely_meets
from bot.code.srcu import Domain, leaves, read_at, waited_for
from bot.code.vocabulary import SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

DIRECT = Example(
    "the wait comes before the unlock",
    """\
 static void hub_swap(struct hub *hub, struct table *next)
 {
 	struct table *old;
 	int idx;

 	idx = srcu_read_lock(&hub->srcu);
 	old = rcu_replace_pointer(hub->table, next, true);
+	synchronize_srcu(&hub->srcu); // <-- warns
 	srcu_read_unlock(&hub->srcu, idx);
 	kfree(old);
 }
""",
)

VCPU = Example(
    "a virtual CPU is a reader while it runs, and unregistering a device waits",
    """\
 static int vcpu_drop_doorbell(struct kvm_vcpu *vcpu, struct doorbell *bell)
 {
 	int ret;

 	kvm_vcpu_srcu_read_lock(vcpu);
 	ret = doorbell_disarm(bell);
+	kvm_io_bus_unregister_dev(vcpu->kvm, KVM_MMIO_BUS, &bell->dev); // <-- warns
 	kvm_vcpu_srcu_read_unlock(vcpu);
 	return ret;
 }
""",
)

CALLEE = Example(
    "the callee waits",
    """\
 struct hub { struct srcu_struct srcu; struct table __rcu *table; };

 static void hub_reset(struct hub *hub)
 {
 	rcu_assign_pointer(hub->table, NULL);
 	synchronize_srcu_expedited(&hub->srcu);
 }

 static void hub_poke(struct hub *hub)
 {
-	guard(mutex)(&hub->lock);
+	guard(srcu)(&hub->srcu);
 	hub_reset(hub); // <-- warns
 }
""",
)

ALLOWED = Example(
    "left first, another domain, a callback, another object",
    """\
+static void hub_swap(struct hub *hub, struct hub *other, struct table *old)
+{
+	int idx;
+
+	idx = srcu_read_lock(&hub->srcu);
+	synchronize_srcu(&hub->irq_srcu);
+	call_srcu(&hub->srcu, &old->rcu, table_free_rcu);
+	synchronize_srcu(&other->srcu);
+	srcu_read_unlock(&hub->srcu, idx);
+	synchronize_srcu(&hub->srcu);
+}
+
+static void vcpu_settle(struct kvm_vcpu *vcpu)
+{
+	kvm_vcpu_srcu_read_lock(vcpu);
+	vcpu_poke(vcpu);
+	kvm_vcpu_srcu_read_unlock(vcpu);
+	synchronize_srcu(&vcpu->kvm->srcu);
+	kvm_vcpu_srcu_read_lock(vcpu);
+	vcpu_poke(vcpu);
+	kvm_vcpu_srcu_read_unlock(vcpu);
+}
""",
)

HANDLER = Example(
    "an exit handler, which runs inside the section of its caller's caller",
    """\
+static int handle_doorbell(struct kvm_vcpu *vcpu)
+{
+	synchronize_srcu(&vcpu->kvm->srcu);
+	return 1;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.9,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/virt/kvm/locking.rst"),
    why="""synchronize_srcu() returns when every reader of the domain that it finds has left its section.  A reader of
    that domain that calls it waits for itself, for ever.""",
    instead="Leave the section first, or use call_srcu().",
    bad=(DIRECT, VCPU, CALLEE),
    good=(ALLOWED,),
    blind_spots=(HANDLER,),
    hunk_proves=True,
)
def synchronize_srcu_in_own_reader(code: Code) -> Iterator[Hit]:
    """A wait for the readers of an SRCU domain inside a read-side section of the same domain."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or not function.held[number].always((SRCU,)):
                continue
            for domain, spelled in read_at(code.facts, function, number):
                waits = _waits(code, function, number, domain)
                opener = opened(code.facts, function, number, (SRCU,), spelled) if waits else None
                if waits and opener:
                    yield _warning(function, number, opener[1], waits, domain)
                    break


def _waits(code: Code, function: Function, number: int, domain: Domain) -> tuple[Function, int] | None:
    """The step that waits for the domain: this one, or one that every way through its callee meets."""

    def here(inner: Function, place: int) -> bool:
        waited = waited_for(code.facts, inner, inner.flow.steps[place])
        return waited is not None and (waited.same(domain) if inner is function else waited.same_field(domain))

    step = function.flow.steps[number]
    if here(function, number):
        return function, number
    return surely_meets(code.facts, function, step, here, leaves)


def _warning(function: Function, number: int, opener: int, waits: tuple[Function, int], domain: Domain) -> Hit:
    step, waiter = function.flow.steps[number], waits[0].flow.steps[waits[1]]
    direct = waits[0] is function
    evidence = [step_evidence(Role.LOCK, function, function.flow.steps[opener])]
    if not direct:
        evidence.append(step_evidence(Role.USE, function, step))
    evidence.append(step_evidence(Role.WAIT, waits[0], waiter))
    return hit_at(
        function,
        step,
        str(domain),
        f"{step.name}() waits for readers of {domain}, and is one"
        if direct
        else f"{step.name}() reaches {waiter.name}() inside a section of {domain}",
        tuple(evidence),
        question="" if direct else "Is the section left on the way to the wait?",
        cure="Leave the section first, or use call_srcu().",
        confidence=None if direct else 0.75,
    )
