"""wait-before-unlink: a grace period passes, and what is released behind it was still on the list all the while."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.still_listed import still_listed
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

TWO_PASSES = Example(
    "the first pass hides the hooks, the second releases tables that readers still find",
    """\
 struct table { struct list_head list; int owner; };
 struct hub { struct mutex lock; struct list_head tables; };

 static int table_dump(struct hub *hub)
 {
 	struct table *t;
 	int sum = 0;

 	rcu_read_lock();
 	list_for_each_entry_rcu(t, &hub->tables, list)
 		sum += t->owner;
 	rcu_read_unlock();
 	return sum;
 }

+static void owner_gone(struct hub *hub, int owner)
+{
+	struct table *t, *next;
+
+	mutex_lock(&hub->lock);
+	list_for_each_entry(t, &hub->tables, list)
+		if (t->owner == owner)
+			unregister_hooks(t);
+	synchronize_rcu();
+	list_for_each_entry_safe(t, next, &hub->tables, list) {
+		if (t->owner == owner)
+			release_table(hub, t); // <-- warns
+	}
+	mutex_unlock(&hub->lock);
+}
""",
)

IN_CALLEE = Example(
    "the callee that unlinks and frees is in sight, and does not wait",
    """\
 struct gadget { struct list_head node; bool idle; };
 struct hub { struct list_head gadgets; };

 static struct gadget *gadget_find(struct hub *hub, struct gadget *g)
 {
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (!g->idle)
 			return g;
 	return NULL;
 }

 static void gadget_free(struct gadget *g)
 {
 	list_del_rcu(&g->node);
 	kfree(g);
 }

+static void hub_prune(struct hub *hub, struct gadget *g, struct gadget *next)
+{
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		if (g->idle)
+			gadget_free(g); // <-- warns
+}
""",
)

IN_ORDER = Example(
    "unlinked before the wait; a list of its own; a callee that waits; the end of the whole list",
    """\
 struct gadget { struct list_head node; struct list_head gone; bool idle; void *stats; struct rcu_head rcu; };
 struct hub { struct list_head gadgets; struct list_head going; };

 static struct gadget *gadget_find(struct hub *hub, struct gadget *g)
 {
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (!g->idle)
 			return g;
 	return NULL;
 }

+static void gadget_free(struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	kfree_rcu(g, rcu);
+}
+
+static void hub_prune(struct hub *hub, struct gadget *g, struct gadget *next)
+{
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		if (g->idle)
+			gadget_free(g);
+}
+
+static void hub_prune_in_two(struct hub *hub, struct gadget *g, struct gadget *next)
+{
+	LIST_HEAD(gone);
+
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
+		list_del_rcu(&g->node);
+		list_add(&g->gone, &gone);
+	}
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &gone, gone)
+		if (g->stats)
+			release_gadget(g);
+}
+
+static void hub_destroy(struct hub *hub, struct gadget *g, struct gadget *next)
+{
+	hub_unlink(hub);
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		if (g->idle)
+			release_gadget(g);
+}
+
+static void hub_end(struct hub *hub, struct gadget *g, struct gadget *next)
+{
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		destroy_gadget(g);
+}
""",
)

UNDER_LOCK = Example(
    "the readers hold the lock of those who take entries away, which their callers know",
    """\
 struct gadget { struct list_head node; bool idle; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static bool hub_busy(struct hub *hub)
 {
 	struct gadget *g;

 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (!g->idle)
 			return true;
 	return false;
 }

+static void hub_prune(struct hub *hub)
+{
+	struct gadget *g, *next;
+
+	mutex_lock(&hub->lock);
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		if (g->idle)
+			release_gadget(g); // <-- warns
+	mutex_unlock(&hub->lock);
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/RCU/whatisRCU.rst"),
    why="""A grace period waits for the readers that are there when it begins.  What a walk finds on the list behind it,
    readers find there, too: those that came since are not waited for when it is released.""",
    instead="Take the entries off the list first, keep them on a list of their own over the wait, then release them.",
    bad=(TWO_PASSES, IN_CALLEE),
    good=(IN_ORDER,),
    blind_spots=(UNDER_LOCK,),
    replaces=("free-without-grace-period", "plain-del-on-rculist"),
)
def wait_before_unlink(code: Code) -> Iterator[Hit]:
    """What a walk finds on an RCU list after the wait is released with no wait of its own."""
    for found in still_listed(code.facts, code.lifetime):
        walk, wait, where = found.walk, found.wait, found.reader.head
        yield hit_at(
            walk.where,
            found.release,
            str(where),
            f"{found.release.name}() of {walk.variable} comes after {wait.name}(), and it is on {where} still",
            (
                found.reader.evidence(Role.READER),
                wait.evidence(Role.WAIT),
                walk.evidence(Role.NOTE, "finds what is on the list behind the wait"),
                step_evidence(Role.FREE, walk.where, found.release),
            ),
            question=f"Can a reader find {walk.variable} after the wait, and hold it when it is released?",
            cure="If so: list_del_rcu() before the wait, and release behind it what was taken off.",
        )
