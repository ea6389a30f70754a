"""memslots-without-srcu: KVM's memslots or buses are read outside of kvm->srcu."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.exposed import Exposed, exposed
from bot.code.vocabulary import SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, entered_at, hit_at, rule, step_evidence, way_down

_DOMAIN = "srcu"  # kvm->srcu; irq_srcu and the domains of others are told elsewhere

TABLES = """\
 static inline struct kvm_memslots *__kvm_memslots(struct kvm *kvm, int as_id)
 {
 	return srcu_dereference_check(kvm->memslots[as_id], &kvm->srcu,
 			lockdep_is_held(&kvm->slots_lock) || !refcount_read(&kvm->users_count));
 }

 int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, int len)
 {
 	return copy_page(__kvm_memslots(kvm, 0), gpa, data, len);
 }
"""

CASE = Example(
    "a new case of an ioctl reads guest memory; other cases hold kvm->srcu",
    f"""\
{TABLES}
+static int gadget_load(struct kvm_vcpu *vcpu, struct gadget_state *state)
+{{
+	return kvm_read_guest(vcpu->kvm, state->gpa, &vcpu->arch.gadget, 8); // <-- warns
+}}

 static long kvm_vcpu_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
 {{
 	struct kvm_vcpu *vcpu = filp->private_data;
 	struct gadget_state state;
 	int r, idx;

 	switch (ioctl) {{
 	case KVM_GET_GADGET:
 		idx = srcu_read_lock(&vcpu->kvm->srcu);
 		r = kvm_read_guest(vcpu->kvm, arg, &state, 8);
 		srcu_read_unlock(&vcpu->kvm->srcu, idx);
 		break;
+	case KVM_SET_GADGET:
+		r = gadget_load(vcpu, &state);
+		break;
 	}}
 	return r;
 }}

 static struct file_operations kvm_vcpu_fops = {{
 	.unlocked_ioctl = kvm_vcpu_ioctl,
 }};
""",
)

DROPPED = Example(
    "the section is left around a wait, and memory is read there",
    """\
 static int gadget_wait(struct kvm_vcpu *vcpu)
 {
 	kvm_vcpu_srcu_read_unlock(vcpu);
 	gadget_sleep(vcpu);
+	__kvm_memslots(vcpu->kvm, 0); // <-- warns
 	kvm_vcpu_srcu_read_lock(vcpu);
 	return 0;
 }

 static inline struct kvm_memslots *__kvm_memslots(struct kvm *kvm, int as_id)
 {
 	return srcu_dereference_check(kvm->memslots[as_id], &kvm->srcu, lockdep_is_held(&kvm->slots_lock));
 }
""",
)

HELD = Example(
    "a section, slots_lock, a contract, a callee that takes the section itself, an object that is just being made",
    f"""\
{TABLES}
+static int gadget_own(struct kvm_vcpu *vcpu, gpa_t gpa)
+{{
+	guard(srcu)(&vcpu->kvm->srcu);
+	return kvm_read_guest(vcpu->kvm, gpa, &vcpu->arch.gadget, 8);
+}}
+
+/* Called within kvm->srcu. */
+static int gadget_inner(struct kvm_vcpu *vcpu, gpa_t gpa)
+{{
+	return kvm_read_guest(vcpu->kvm, gpa, &vcpu->arch.gadget, 8);
+}}
+
+static int gadget_make(struct kvm *kvm)
+{{
+	struct gadget *gadget = kzalloc(sizeof(*gadget), GFP_KERNEL);
+
+	return kvm_read_guest(gadget->kvm, 0, gadget, 8);
+}}

 static long kvm_vm_ioctl(struct file *filp, unsigned int ioctl, unsigned long arg)
 {{
 	struct kvm *kvm = filp->private_data;
 	int r;

 	switch (ioctl) {{
+	case KVM_OWN_GADGET:
+		r = gadget_own(kvm->vcpu, arg);
+		break;
+	case KVM_SLOT_GADGET:
+		mutex_lock(&kvm->slots_lock);
+		r = kvm_read_guest(kvm, arg, &r, 4) + gadget_inner(kvm->vcpu, arg);
+		mutex_unlock(&kvm->slots_lock);
+		break;
+	case KVM_MAKE_GADGET:
+		r = gadget_make(kvm);
+		break;
 	}}
 	return r;
 }}

 static struct file_operations kvm_vm_fops = {{
 	.unlocked_ioctl = kvm_vm_ioctl,
 }};
""",
)

NO_WAY = Example(
    "nobody in sight calls the function, so that its section may be anywhere above",
    f"""\
{TABLES}
+int gadget_load(struct kvm_vcpu *vcpu, gpa_t gpa)
+{{
+	return kvm_read_guest(vcpu->kvm, gpa, &vcpu->arch.gadget, 8);
+}}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/virt/kvm/locking.rst", "Documentation/RCU/checklist.rst item 2"),
    why="""KVM_SET_USER_MEMORY_REGION replaces the memslots, waits for the readers of kvm->srcu and frees the old ones;
    buses and filters go the same way.  A path without that section follows freed memory.""",
    instead="Take guard(srcu)(&kvm->srcu) around the call, as near to the ioctl as its neighbours do.",
    bad=(CASE, DROPPED),
    good=(HELD,),
    blind_spots=(NO_WAY,),
    replaces=("called-outside-section", "read-lock-removed", "unlocked-rcu-traversal"),
)
def memslots_without_srcu(code: Code) -> Iterator[Hit]:
    """What kvm->srcu protects is read on a path that holds neither kvm->srcu nor a lock that would do."""
    for place in exposed(code.facts, code.needs, code.entries, frozenset({SRCU})):
        if place.need.domain == _DOMAIN:
            yield _warning(place)


def _warning(place: Exposed) -> Hit:
    step = place.function.flow.steps[place.number]
    locks = "".join(f", nor {lock}" for lock in place.need.locks)
    return hit_at(
        place.function,
        step,
        place.way.reads,
        f"{step.name}() reads {place.way.reads} outside of kvm->srcu",
        (
            *entered_at(place, f"no kvm->srcu{locks} on the way to {place.function.name}()"),
            step_evidence(Role.USE, place.function, step),
            *way_down(place),
        ),
        question="Which section covers this path?",
        cure="If none: guard(srcu)(&kvm->srcu) around the call.",
    )
