"""callback-blocks: an RCU callback that may sleep."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.callbacks import Queued, queued
from bot.code.facts import Fact, Function
from bot.code.sleeping import always_sleeps, may_sleep, sleep_at
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

DEEP = Example(
    "what the callback calls sleeps on some way, two calls deep",
    """\
 static void table_release(struct table *t)
 {
 	if (t->counted)
 		static_branch_dec(&tables_counted);
 	kvfree(t);
 }

 static void hub_release(struct hub *hub)
 {
 	table_release(hub->table);
 	kfree(hub);
 }

+static void hub_free_rcu(struct rcu_head *head)
+{
+	hub_release(container_of(head, struct hub, rcu)); // <-- warns
+}
+
 static void hub_retire(struct hub *hub)
 {
 	list_del_rcu(&hub->node);
-	synchronize_rcu();
-	hub_release(hub);
+	call_rcu(&hub->rcu, hub_free_rcu);
 }
""",
)

SOMETIMES = Example(
    "a callee that sleeps when it is told so by a variable",
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
+	gadget_free(container_of(head, struct gadget, rcu), may_wait);
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
    bad=(MUTEX, FLUSH, DEEP),
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
            sleep = sleep_at(code.facts, callback, number) or always_sleeps(code.facts, callback, step)
            found = sleep or may_sleep(code.facts, callback, step)
            if found is not None:
                yield _warning(place, callback, number, found, None if sleep else 0.6)
                break


def _warning(place: Queued, callback: Function, number: int, sleep: Fact, confidence: float | None) -> Hit:
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
        confidence=confidence,
    )
