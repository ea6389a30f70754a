"""callback-blocks: an RCU callback that may sleep."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.callbacks import Queued, queued
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import StepKind
from bot.code.inside import surely_meets
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

MUTEX = Example(
    "the callback takes a mutex",
    """\
 static void gadget_free_rcu(struct rcu_head *head)
 {
 	struct gadget *g = container_of(head, struct gadget, rcu);

+	mutex_lock(&g->hub->lock); // <-- warns
+	g->hub->count--;
+	mutex_unlock(&g->hub->lock);
 	kfree(g);
 }

 static void gadget_retire(struct gadget *g)
 {
 	list_del_rcu(&g->node);
 	call_rcu(&g->rcu, gadget_free_rcu);
 }
""",
)

FLUSH = Example(
    "a free that waited before becomes a callback, and flushes work",
    """\
 static void gadget_free(struct gadget *g)
 {
 	cancel_work_sync(&g->work);
 	kfree(g);
 }

+static void gadget_free_rcu(struct rcu_head *head)
+{
+	gadget_free(container_of(head, struct gadget, rcu)); // <-- warns
+}
+
 static void gadget_retire(struct gadget *g)
 {
 	list_del_rcu(&g->node);
-	synchronize_rcu();
-	gadget_free(g);
+	call_rcu(&g->rcu, gadget_free_rcu);
 }
""",
)

ALLOWED = Example(
    "frees of every kind, spinlocks, and work that is only queued",
    """\
+static void gadget_work(struct work_struct *work)
+{
+	mutex_lock(&hub_lock);
+	mutex_unlock(&hub_lock);
+}
+
+static void gadget_free_rcu(struct rcu_head *head)
+{
+	struct gadget *g = container_of(head, struct gadget, rcu);
+
+	spin_lock_bh(&g->hub->lock);
+	g->hub->count--;
+	spin_unlock_bh(&g->hub->lock);
+	kvfree(g->table);
+	vfree(g->pages);
+	g->copy = kmalloc(8, GFP_ATOMIC);
+	INIT_WORK(&g->work, gadget_work);
+	schedule_work(&g->work);
+}
+
+static void gadget_retire(struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
""",
)

SOMETIMES = Example(
    "a callee that sleeps on one way only",
    """\
+static void gadget_free(struct gadget *g, bool wait)
+{
+	if (wait)
+		flush_work(&g->work);
+	kfree(g);
+}
+
+static void gadget_free_rcu(struct rcu_head *head)
+{
+	gadget_free(container_of(head, struct gadget, rcu), true);
+}
+
+static void gadget_retire(struct gadget *g)
+{
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.75,
    sources=("Documentation/RCU/checklist.rst item 5", "Documentation/RCU/whatisRCU.rst call_rcu()"),
    why="""Callbacks run in softirq context, or with bottom halves off, one after the other: one that sleeps is a splat,
    and holds up all that wait behind it.""",
    instead="Use queue_rcu_work(), or let the callback queue work that sleeps.",
    bad=(MUTEX, FLUSH),
    good=(ALLOWED,),
    blind_spots=(SOMETIMES,),
    hunk_proves=True,
)
def callback_blocks(code: Code) -> Iterator[Hit]:
    """A function that is handed to call_rcu() or call_srcu() may sleep."""
    told: set[Function] = set()
    for place in queued(code.facts):
        callback = code.facts.defined(place.callback, place.where.path)
        if callback is None or callback in told:
            continue
        told.add(callback)
        for number, step in enumerate(callback.flow.steps):
            sleep = _sleep(code, callback, number)
            if sleep is None and step.kind is StepKind.CALL:
                met = surely_meets(code.facts, callback, step, lambda f, n: _sleep(code, f, n) is not None)
                sleep = _sleep(code, *met) if met else None
            if sleep is not None:
                yield _warning(place, callback, number, sleep)
                break


def _sleep(code: Code, function: Function, number: int) -> Fact | None:
    return next((f for f in code.facts.facts(function) if f.kind is FactKind.SLEEP and f.step == number), None)


def _warning(place: Queued, callback: Function, number: int, sleep: Fact) -> Hit:
    step = callback.flow.steps[number]
    evidence: tuple[Evidence, ...] = (step_evidence(Role.NOTE, place.where, place.step),)
    if sleep.where is not callback:
        evidence = (*evidence, step_evidence(Role.USE, callback, step))
    return hit_at(
        callback,
        step,
        callback.name,
        f"{callback.name}() is an RCU callback, and {sleep.name}() may sleep",
        (*evidence, sleep.evidence(Role.SLEEP)),
        question="Can this path run without sleeping?",
        cure="If not: queue_rcu_work(), or queue work from the callback.",
    )
