"""synchronize-in-atomic: a wait for readers where nothing may block."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened, surely_meets
from bot.code.sections import lock_of
from bot.code.vocabulary import IRQ, PREEMPT, RWLOCK, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_ATOMIC = (SPIN, RWLOCK, PREEMPT, IRQ)
_WAIT = re.compile(
    r"synchronize_(?:rcu(?:_expedited|_mult|_bh|_tasks\w*)?|srcu(?:_expedited)?|net|sched(?:_expedited)?)|s?rcu_barrier"
)

SPINLOCK = Example(
    "under the update lock, which is a spinlock",
    """\
 static void gadget_remove(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_del_rcu(&g->node);
+	synchronize_rcu(); // <-- warns
 	spin_unlock(&hub->lock);
 	kfree(g);
 }
""",
)

RWLOCKED = Example(
    "SRCU may not be waited for under a rwlock either",
    """\
 static void hub_swap(struct hub *hub, struct gadget *next)
 {
 	struct gadget *old;

 	write_lock(&hub->table_lock);
 	old = rcu_replace_pointer(hub->first, next, true);
+	synchronize_srcu(&hub->srcu); // <-- warns
 	write_unlock(&hub->table_lock);
 	kfree(old);
 }
""",
)

CALLEE = Example(
    "with interrupts off, in a callee",
    """\
 static void hub_settle(struct hub *hub)
 {
 	hub->dead = true;
 	synchronize_rcu();
 }

 static void hub_stop(struct hub *hub)
 {
 	unsigned long flags;

 	local_irq_save(flags);
+	hub_settle(hub); // <-- warns
 	RCU_INIT_POINTER(hub->first, NULL);
 	local_irq_restore(flags);
 }
""",
)

MAY_SLEEP = Example(
    "under a mutex, after the unlock, or with a callback",
    """\
+static void gadget_remove(struct hub *hub, struct gadget *g)
+{
+	mutex_lock(&hub->mutex);
+	spin_lock(&hub->lock);
+	list_del_rcu(&g->node);
+	spin_unlock(&hub->lock);
+	synchronize_rcu();
+	mutex_unlock(&hub->mutex);
+	kfree(g);
+}
+
+static void gadget_retire(struct hub *hub, struct gadget *g)
+{
+	guard(spinlock)(&hub->lock);
+	list_del_rcu(&g->node);
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
+
+static void gadget_hand_over(struct hub *hub, struct gadget *g)
+{
+	spin_lock(&hub->lock);
+	list_del_rcu(&g->node);
+	hub_unlock(hub);
+	synchronize_rcu();
+	kfree(g);
+}
""",
)

CALLER = Example(
    "the spinlock is the caller's",
    """\
+void gadget_retire_all(struct hub *hub)
+{
+	lockdep_assert_held(&hub->lock);
+	hub_empty(hub);
+	synchronize_rcu();
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 6", "Documentation/RCU/whatisRCU.rst synchronize_rcu()"),
    why="""A wait for readers sleeps.  Under a spinlock, or with preemption or interrupts off, that is a splat at
    best; at worst it never ends, for the waiter itself counts as a reader.""",
    instead="Drop the lock before the wait, or use call_rcu() or kfree_rcu(), which may be called anywhere.",
    bad=(SPINLOCK, RWLOCKED, CALLEE),
    good=(MAY_SLEEP,),
    blind_spots=(CALLER,),
    hunk_proves=True,
)
def synchronize_in_atomic(code: Code) -> Iterator[Hit]:
    """A wait for a grace period under a spinlock, or with preemption or interrupts off."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or not function.held[number].always(_ATOMIC):
                continue
            waits = (function, number) if _waits(function, number) else None
            waits = waits or surely_meets(code.facts, function, step, _waits, _leaves)
            found = opened(code.facts, function, number, _ATOMIC) if waits else None
            if waits and found:
                yield _warning(function, number, found[1], waits)


def _waits(function: Function, number: int) -> bool:
    step = function.flow.steps[number]
    return step.kind is StepKind.CALL and _WAIT.fullmatch(step.name) is not None


def _leaves(step: Step) -> bool:
    found = lock_of(step)
    return found is not None and found[0].kind in _ATOMIC and not found[1].takes


def _warning(function: Function, number: int, lock: int, waits: tuple[Function, int]) -> Hit:
    step, opener = function.flow.steps[number], function.flow.steps[lock]
    waiter = waits[0].flow.steps[waits[1]]
    direct = waits[0] is function
    evidence = [step_evidence(Role.LOCK, function, opener)]
    if not direct:
        evidence.append(step_evidence(Role.USE, function, step))
    evidence.append(step_evidence(Role.WAIT, waits[0], waiter))
    what = f"{step.name}()" if direct else f"{step.name}() reaches {waiter.name}(), which"
    return hit_at(
        function,
        step,
        step.name,
        f"{what} sleeps where {opener.name}() forbids it",
        tuple(evidence),
        question="" if direct else "Is the lock dropped on the way to the wait?",
        cure="Wait after the unlock, or use call_rcu() or kfree_rcu().",
        confidence=None if direct else 0.7,
    )
