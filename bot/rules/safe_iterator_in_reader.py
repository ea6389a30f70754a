"""safe-iterator-in-reader: the _safe iterator keeps the next entry, and nothing keeps it alive or linked."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.plain_walks import plain_walks
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule, who_publishes_and_reads

_WALKS = frozenset(
    {"list_for_each_entry_safe", "hlist_for_each_entry_safe", "hash_for_each_safe", "hash_for_each_possible_safe",
     "list_for_each_entry_safe_continue"}
)  # fmt: skip

SAFE = Example(
    "safe sounds like what a reader needs",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_del_rcu(&g->node);
 	spin_unlock(&hub->lock);
 	kfree_rcu(g, rcu);
 }

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_add_rcu(&g->node, &hub->gadgets);
 	spin_unlock(&hub->lock);
 }

 static int hub_sum(struct hub *hub)
 {
-	struct gadget *g;
+	struct gadget *g, *next;
 	int sum = 0;

 	rcu_read_lock();
-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) // <-- warns
 		sum += g->id;
 	rcu_read_unlock();
 	return sum;
 }
""",
)

UPDATER = Example(
    "an updater under its lock, and one whose lock is the caller's",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	list_add_rcu(&g->node, &hub->gadgets);
 }

+static void hub_clear(struct hub *hub)
+{
+	struct gadget *g, *next;
+
+	rcu_read_lock();
+	spin_lock(&hub->lock);
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
+		list_del_rcu(&g->node);
+		kfree_rcu(g, rcu);
+	}
+	spin_unlock(&hub->lock);
+	rcu_read_unlock();
+}
+
+/* Called with hub->lock held. */
+static void hub_stop(struct hub *hub)
+{
+	struct gadget *g, *next;
+
+	guard(rcu)();
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		gadget_stop(g);
+}
""",
)

HEAD_GIVEN = Example(
    "the head comes in as an argument",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { struct list_head gadgets; };

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	list_add_rcu(&g->node, &hub->gadgets);
 }

+static void stop_all(struct list_head *head)
+{
+	struct gadget *g, *next;
+
+	guard(rcu)();
+	list_for_each_entry_safe(g, next, head, node)
+		gadget_stop(g);
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/listRCU.rst", "include/linux/rculist.h list_for_each_entry_rcu()"),
    why="""The next entry is loaded, by a plain load, before the body of the loop runs.  It is safe from what the loop
    itself removes, and not from what another CPU removes meanwhile.""",
    instead="""list_for_each_entry_rcu(), which needs no _safe form: list_del_rcu() keeps the next pointer of what it
    removes.""",
    bad=(SAFE,),
    good=(UPDATER,),
    blind_spots=(HEAD_GIVEN,),
    replaces=("rcu-primitive-dropped",),
)
def safe_iterator_in_reader(code: Code) -> Iterator[Hit]:
    """An RCU read-side section walks an RCU list with a _safe iterator."""
    for fact, protection in plain_walks(code.facts, _WALKS):
        yield hit(
            fact,
            str(fact.head),
            f"{fact.name}() over {fact.head} in a reader",
            (*who_publishes_and_reads(protection), fact.evidence(Role.READER)),
            question=f"Is the lock held here that updaters of {fact.head} take?",
            cure="If not: the _rcu iterator.",
        )
