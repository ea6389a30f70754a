"""barrier-for-grace-period: rcu_barrier() where readers are to be waited for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.flow import Step, StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_BARRIER = re.compile(r"s?rcu_barrier")

UNLINKED = Example(
    "nothing is queued, so the barrier returns at once",
    """\
 static void gadget_remove(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
 	list_del_rcu(&g->node);
 	mutex_unlock(&hub->lock);
-	synchronize_rcu();
+	rcu_barrier(); // <-- warns
 	kfree(g);
 }
""",
)

REPLACED = Example(
    "the old table after its replacement",
    """\
 static void hub_swap(struct hub *hub, struct table *next)
 {
 	struct table *old = rcu_replace_pointer(hub->table, next, lockdep_is_held(&hub->lock));

+	rcu_barrier(); // <-- warns
 	kfree(old);
 }
""",
)

CALLBACKS = Example(
    "the barrier is for callbacks, and readers are waited for as well",
    """\
+static void gadget_remove(struct hub *hub, struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	synchronize_rcu();
+	rcu_barrier();
+	kfree(g);
+}
+
+static void hub_drain(struct hub *hub, struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	call_rcu(&g->rcu, gadget_free_rcu);
+	/* Wait for the callbacks that are queued. */
+	rcu_barrier();
+	kfree(hub);
+}
""",
)

OTHER_FUNCTION = Example(
    "the unlink is the caller's",
    """\
+static void gadget_finish(struct gadget *g)
+{
+	rcu_barrier();
+	kfree(g);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 17", "Documentation/RCU/rcubarrier.rst"),
    why="""rcu_barrier() waits for callbacks that are queued.  When there are none it may return at once, with readers
    still on the object.""",
    instead="Use synchronize_rcu(), and rcu_barrier() as well when callbacks have to be waited for.",
    bad=(UNLINKED, REPLACED),
    good=(CALLBACKS,),
    blind_spots=(OTHER_FUNCTION,),
    replaces=("grace-period-removed", "free-no-longer-waits", "free-without-grace-period"),
    hunk_proves=True,
)
def barrier_for_grace_period(code: Code) -> Iterator[Hit]:
    """Between a removal and the free there is an rcu_barrier(), and no grace period."""
    for function in code.facts.in_focus:
        if not function.words & {"rcu_barrier", "srcu_barrier"}:
            continue
        facts = code.facts.facts(function)
        for removal in facts:
            variable = _removed(removal)
            if not variable or code.lifetime.excuse(function, removal):
                continue
            free = _freed_behind_barrier(code, removal, variable)
            if free is not None:
                yield _warning(removal, *free)


def _removed(fact: Fact) -> str:
    """The variable of what a fact takes from the readers, "" when it takes nothing."""
    if fact.kind is FactKind.UNLINK and fact.rcu:
        return fact.variable
    if fact.kind is FactKind.STORE and fact.name == "rcu_replace_pointer":
        return fact.where.flow.steps[fact.step].target
    return ""


def _freed_behind_barrier(code: Code, removal: Fact, variable: str) -> tuple[Step, Fact] | None:
    """The barrier and the free behind it, when nothing on the way waits for readers."""
    flow = removal.where.flow
    frees = [f for f in code.facts.facts(removal.where) if f.kind is FactKind.FREE and f.variable == variable]
    reached = set(flow.after(removal.step, lambda step: _waits(code, removal, step)))
    for free in frees:
        between = reached & set(flow.before(free.step))
        barrier = next((flow.steps[number] for number in sorted(between) if _is_barrier(flow.steps[number])), None)
        if free.step in reached and barrier is not None:
            return barrier, free
    return None


def _is_barrier(step: Step) -> bool:
    return step.kind is StepKind.CALL and _BARRIER.fullmatch(step.name) is not None


def _waits(code: Code, removal: Fact, step: Step) -> bool:
    """Whether a step waits for readers, or may: it queues a callback, whose barrier is a grace period too."""
    if step.kind is StepKind.GAP:
        return True
    if step.kind is not StepKind.CALL or _is_barrier(step):
        return False
    return step.name.startswith(("call_rcu", "call_srcu")) or code.lifetime.is_wait(step, removal.where)


def _warning(removal: Fact, barrier: Step, free: Fact) -> Hit:
    return hit_at(
        removal.where,
        barrier,
        free.variable,
        f"{barrier.name}() does not wait for readers of {free.variable}",
        (
            removal.evidence(Role.REMOVE),
            step_evidence(Role.WAIT, removal.where, barrier),
            free.evidence(Role.FREE),
        ),
        question="Which callbacks is the barrier for?",
        cure="If for none: synchronize_rcu().",
    )
