"""srcu-index-misuse: srcu_read_unlock() gets an index that is not the one of its srcu_read_lock()."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.srcu import domain_of
from bot.code.vocabulary import SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCK = re.compile(r"srcu_(?:read_lock(?:_notrace|_nmisafe|_lite|_fast)?|down_read)")
_UNLOCK = re.compile(r"srcu_(?:read_unlock(?:_notrace|_nmisafe|_lite|_fast)?|up_read)")
_NAME = re.compile(r"[A-Za-z_]\w*")

OVERWRITTEN = Example(
    "a nested section overwrites the index of the outer one",
    """\
 static void hub_poke(struct hub *hub)
 {
 	int idx;

 	idx = srcu_read_lock(&hub->srcu);
+	idx = srcu_read_lock(&hub->irq_srcu); // <-- warns
 	hub_route(hub);
+	srcu_read_unlock(&hub->irq_srcu, idx);
 	srcu_read_unlock(&hub->srcu, idx);
 }
""",
)

CROSSED = Example(
    "the index of the other domain",
    """\
 static void hub_poke(struct hub *hub)
 {
 	int idx, irq_idx;

 	idx = srcu_read_lock(&hub->srcu);
 	irq_idx = srcu_read_lock(&hub->irq_srcu);
 	hub_route(hub);
-	srcu_read_unlock(&hub->irq_srcu, irq_idx);
+	srcu_read_unlock(&hub->irq_srcu, idx); // <-- warns
 	srcu_read_unlock(&hub->srcu, idx);
 }
""",
)

LOST = Example(
    "the index is thrown away",
    """\
 static void hub_poke(struct hub *hub)
 {
+	srcu_read_lock(&hub->srcu); // <-- warns
 	hub_route(hub);
+	srcu_read_unlock(&hub->srcu, 0);
 }
""",
)

KEPT = Example(
    "an index of its own for each section, one after the other, kept in the object, or none to keep",
    """\
+static void hub_poke(struct hub *hub, struct kvm_vcpu *vcpu)
+{
+	int idx, irq_idx;
+	idx = srcu_read_lock(&hub->srcu);
+	irq_idx = srcu_read_lock(&hub->irq_srcu);
+	hub_route(hub);
+	srcu_read_unlock(&hub->irq_srcu, irq_idx);
+	srcu_read_unlock(&hub->srcu, idx);
+
+	idx = srcu_read_lock(&hub->irq_srcu);
+	hub_route(hub);
+	srcu_read_unlock(&hub->irq_srcu, idx);
+	kvm_vcpu_srcu_read_lock(vcpu);
+	hub_route(hub);
+	kvm_vcpu_srcu_read_unlock(vcpu);
+	scoped_guard(srcu, &hub->srcu)
+		hub_route(hub);
+}
+
+static void hub_enter_both(struct hub *hub, int *idx)
+{
+	*idx = srcu_read_lock(&hub->srcu);
+	hub->irq_idx = srcu_read_lock(&hub->irq_srcu);
+}
+
+static void hub_either(struct hub *hub, bool irq)
+{
+	struct srcu_struct *domain = irq ? &hub->irq_srcu : &hub->srcu;
+	int idx = srcu_read_lock(domain);
+
+	hub_route(hub);
+	srcu_read_unlock(domain, idx);
+}
""",
)

COPIED = Example(
    "an index that goes through another variable",
    """\
+static void hub_poke(struct hub *hub)
+{
+	int idx = srcu_read_lock(&hub->srcu);
+	int kept = idx;
+
+	idx = srcu_read_lock(&hub->irq_srcu); // <-- warns
+	hub_route(hub);
+	srcu_read_unlock(&hub->irq_srcu, idx);
+	srcu_read_unlock(&hub->srcu, kept);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("include/linux/srcu.h srcu_read_lock()", "Documentation/RCU/whatisRCU.rst"),
    why="""The index says which of two counters the reader stands in.  Given back to the other one, the first never
    comes down to nought, and every later grace period of the domain hangs.""",
    instead="Keep one index for each section, or let guard(srcu)() keep it.",
    bad=(OVERWRITTEN, CROSSED, LOST),
    good=(KEPT,),
    blind_spots=(COPIED,),
    replaces=("unbalanced-read-lock",),
    hunk_proves=True,
)
def srcu_index_misuse(code: Code) -> Iterator[Hit]:
    """An index of srcu_read_lock() is lost, overwritten, or given back to another domain."""
    for function in code.facts.in_focus:
        steps = function.flow.steps
        locks = {n: step for n, step in enumerate(steps) if step.kind is StepKind.CALL and _LOCK.fullmatch(step.name)}
        for number, step in locks.items():
            if step.code.startswith(f"{step.name}(") and step.code.endswith(";"):
                yield _warning(function, step, step, f"{step.name}() returns an index that nobody keeps")
            elif (outer := _overwritten(function, number, locks)) is not None:
                text = f"{step.name}() overwrites the index {step.target} of the section that is still open"
                yield _warning(function, outer, step, text)
        yield from _crossed(code, function, locks)


def _overwritten(function: Function, number: int, locks: dict[int, Step]) -> Step | None:
    """The lock whose section is open, on every way here, and whose index this one overwrites."""
    index = function.flow.steps[number].target
    if not _NAME.fullmatch(index):
        return None

    def ends(step: Step) -> bool:
        return step.kind is StepKind.GAP or (step.kind is StepKind.CALL and index in step.args)

    open_here = {lock.what for lock in function.held[number].always((SRCU,))}
    for place, lock in locks.items():
        same = place != number and lock.target == index and bool(lock.args) and lock.args[0] in open_here
        if same and number in set(function.flow.after(place, ends)):
            return lock
    return None


def _crossed(code: Code, function: Function, locks: dict[int, Step]) -> Iterator[Hit]:
    """Unlocks of a domain with an index that only sections of another one give."""
    for step in function.flow.steps:
        if step.kind is not StepKind.CALL or not _UNLOCK.fullmatch(step.name) or len(step.args) < 2:
            continue
        domain, index = domain_of(code.facts, function, step.args[0]), step.args[1]
        givers = [lock for lock in locks.values() if lock.target == index and lock.args]
        if not givers or not _NAME.fullmatch(index) or _set_otherwise(function, index):
            continue
        if all(domain_of(code.facts, function, lock.args[0]).differs(domain) for lock in givers):
            giver = domain_of(code.facts, function, givers[0].args[0])
            text = f"{step.name}() of {domain} gets {index}, an index of {giver}"
            yield _warning(function, givers[0], step, text)


def _set_otherwise(function: Function, index: str) -> bool:
    """Whether the index may come from elsewhere: a parameter, another assignment, or a call that fills it."""
    return index in function.parameters or any(
        (step.kind is StepKind.ASSIGN and step.name == index and "srcu_" not in step.value)
        or step.kind is StepKind.GAP
        or (step.kind is StepKind.CALL and f"&{index}" in step.args)
        for step in function.flow.steps
    )


def _warning(function: Function, lock: Step, step: Step, text: str) -> Hit:
    evidence = [step_evidence(Role.LOCK, function, lock)]
    if step is not lock:
        evidence.append(step_evidence(Role.UNLOCK if _UNLOCK.fullmatch(step.name) else Role.LOCK, function, step))
    return hit_at(
        function,
        step,
        "srcu_read_lock",
        text,
        tuple(evidence),
        cure="Keep one index for each section, or use guard(srcu)().",
    )
