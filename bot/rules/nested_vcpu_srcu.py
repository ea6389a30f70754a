"""nested-vcpu-srcu: kvm_vcpu_srcu_read_lock() inside the section that it has taken already."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import surely_meets
from bot.code.vocabulary import SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCK, _UNLOCK = "kvm_vcpu_srcu_read_lock", "kvm_vcpu_srcu_read_unlock"

TWICE = Example(
    "taken again before it is left",
    """\
 static int vcpu_step(struct kvm_vcpu *vcpu)
 {
 	int r;

 	kvm_vcpu_srcu_read_lock(vcpu);
 	r = vcpu_prepare(vcpu);
+	kvm_vcpu_srcu_read_lock(vcpu); // <-- warns
 	if (!r)
 		r = vcpu_enter(vcpu);
+	kvm_vcpu_srcu_read_unlock(vcpu);
 	kvm_vcpu_srcu_read_unlock(vcpu);
 	return r;
 }
""",
)

CALLEE = Example(
    "a callee takes it as well",
    """\
 static int vcpu_flush(struct kvm_vcpu *vcpu)
 {
 	int r;

 	kvm_vcpu_srcu_read_lock(vcpu);
 	r = vcpu_write_back(vcpu);
 	kvm_vcpu_srcu_read_unlock(vcpu);
 	return r;
 }

 static int vcpu_step(struct kvm_vcpu *vcpu)
 {
 	int r;

 	kvm_vcpu_srcu_read_lock(vcpu);
-	r = vcpu_write_back(vcpu);
+	r = vcpu_flush(vcpu); // <-- warns
 	kvm_vcpu_srcu_read_unlock(vcpu);
 	return r;
 }
""",
)

NESTS = Example(
    "plain SRCU sections nest, and the vCPU's is left in between",
    """\
+static int vcpu_step(struct kvm_vcpu *vcpu)
+{
+	int idx, r;
+
+	kvm_vcpu_srcu_read_lock(vcpu);
+	idx = srcu_read_lock(&vcpu->kvm->srcu);
+	r = vcpu_prepare(vcpu);
+	srcu_read_unlock(&vcpu->kvm->srcu, idx);
+	kvm_vcpu_srcu_read_unlock(vcpu);
+	vcpu_wait(vcpu);
+	kvm_vcpu_srcu_read_lock(vcpu);
+	if (!r)
+		r = vcpu_enter(vcpu);
+	kvm_vcpu_srcu_read_unlock(vcpu);
+	return r;
+}
""",
)

CALLER = Example(
    "the caller is inside already",
    """\
+int vcpu_complete_io(struct kvm_vcpu *vcpu)
+{
+	int r;
+
+	kvm_vcpu_srcu_read_lock(vcpu);
+	r = vcpu->complete(vcpu);
+	kvm_vcpu_srcu_read_unlock(vcpu);
+	return r;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("include/linux/kvm_host.h kvm_vcpu_srcu_read_lock()", "Documentation/virt/kvm/locking.rst"),
    why="""The vCPU has room for one SRCU index.  The second lock overwrites it, KVM warns of it, and the section is
    left with an index that may belong to the other counter.""",
    instead="Use srcu_read_lock(&vcpu->kvm->srcu) with an index of its own, or guard(srcu)(&vcpu->kvm->srcu).",
    bad=(TWICE, CALLEE),
    good=(NESTS,),
    blind_spots=(CALLER,),
    hunk_proves=True,
)
def nested_vcpu_srcu(code: Code) -> Iterator[Hit]:
    """The vCPU's SRCU section is entered while the vCPU is inside already."""
    for function in code.facts.functions:
        if _LOCK not in function.words:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or step.name == _UNLOCK or not function.held[number].always((SRCU,)):
                continue
            outer = _outer(function, number)
            if outer is not None and (_locks(step) or surely_meets(code.facts, function, step, _is_lock, _leaves)):
                yield _warning(function, step, outer)


def _locks(step: Step) -> bool:
    return step.kind is StepKind.CALL and step.name == _LOCK


def _is_lock(function: Function, number: int) -> bool:
    return _locks(function.flow.steps[number])


def _leaves(step: Step) -> bool:
    return step.kind is StepKind.CALL and step.name == _UNLOCK


def _outer(function: Function, number: int) -> Step | None:
    """The lock that every way to a step has passed last, with no unlock and no unseen line behind it."""
    flow = function.flow
    vcpu = {step.args for step in flow.steps if _locks(step)}
    if len(vcpu) != 1:
        return None
    between = list(flow.before(number, _locks))
    if any(not flow.previous[p] or _leaves(flow.steps[p]) or flow.steps[p].kind is StepKind.GAP for p in between):
        return None
    found = [p for inner in (number, *between) for p in flow.previous[inner] if _locks(flow.steps[p])]
    return flow.steps[max(found)] if found else None


def _warning(function: Function, step: Step, outer: Step) -> Hit:
    return hit_at(
        function,
        step,
        _LOCK,
        f"{step.name}() enters the vCPU's SRCU section, which is entered already",
        (step_evidence(Role.LOCK, function, outer), step_evidence(Role.LOCK, function, step)),
        cure="Use srcu_read_lock() with an index of its own.",
    )
