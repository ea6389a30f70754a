"""headless-free-in-atomic: a deferred free without an rcu_head, where nothing may block."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened
from bot.code.vocabulary import IRQ, PREEMPT, RCU, RCU_BH, RCU_SCHED, RWLOCK, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_NO_SLEEP = (SPIN, RWLOCK, PREEMPT, IRQ, RCU, RCU_BH, RCU_SCHED)
_HEADLESS = re.compile(r"kv?free_rcu_mightsleep")
_ONE_ARGUMENT = re.compile(r"kv?free_rcu")  # the headless form of older kernels

SPINLOCK = Example(
    "under the update lock",
    """\
 static void gadget_remove(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_del_rcu(&g->node);
+	kfree_rcu_mightsleep(g); // <-- warns
 	spin_unlock(&hub->lock);
 }
""",
)

READER = Example(
    "inside a reader",
    """\
 static void hub_trim(struct hub *hub)
 {
 	struct gadget *g;

 	rcu_read_lock();
 	g = gadget_unlink_oldest(hub);
 	if (g)
+		kvfree_rcu(g); // <-- warns
 	rcu_read_unlock();
 }
""",
)

WITH_HEAD = Example(
    "two arguments are fine anywhere, one where it may sleep",
    """\
+static void gadget_remove(struct hub *hub, struct gadget *g, struct gadget *other)
+{
+	spin_lock(&hub->lock);
+	list_del_rcu(&g->node);
+	list_del_rcu(&other->node);
+	kfree_rcu(g, rcu);
+	spin_unlock(&hub->lock);
+	kfree_rcu_mightsleep(other);
+}
+
+static void gadget_drop(struct hub *hub, struct gadget *g)
+{
+	guard(mutex)(&hub->mutex);
+	list_del_rcu(&g->node);
+	kvfree_rcu_mightsleep(g);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("include/linux/rcupdate.h kfree_rcu_mightsleep()", "Documentation/RCU/checklist.rst item 8"),
    why="""Without an rcu_head in the object, kfree_rcu_mightsleep() allocates its own, and when that fails it waits
    for a grace period on the spot.""",
    instead="Give the object a struct rcu_head and use kfree_rcu(p, rcu), or free it after the unlock.",
    bad=(SPINLOCK, READER),
    good=(WITH_HEAD,),
    replaces=("sleep-in-reader",),
    hunk_proves=True,
)
def headless_free_in_atomic(code: Code) -> Iterator[Hit]:
    """A kfree_rcu_mightsleep() under a spinlock, in a reader, or with preemption or interrupts off."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            if _may_sleep(step):
                found = opened(code.facts, function, number, _NO_SLEEP)
                if found:
                    yield _warning(function, step, function.flow.steps[found[1]])


def _may_sleep(step: Step) -> bool:
    if step.kind is not StepKind.CALL:
        return False
    one = len(step.args) == 1 and _ONE_ARGUMENT.fullmatch(step.name) is not None
    return one or _HEADLESS.fullmatch(step.name) is not None


def _warning(function: Function, step: Step, opener: Step) -> Hit:
    return hit_at(
        function,
        step,
        step.name,
        f"{step.name}() may sleep where {opener.name}() forbids it",
        (step_evidence(Role.LOCK, function, opener), step_evidence(Role.SLEEP, function, step)),
        cure="Use the form with an rcu_head, or free after the unlock.",
    )
