"""plain-iteration-in-reader: an RCU reader walks an RCU list with the iterator for updaters."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.plain_walks import plain_walks
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule, who_publishes_and_reads

_WALKS = frozenset(
    {"list_for_each_entry", "hlist_for_each_entry", "hash_for_each", "hash_for_each_possible",
     "list_for_each_entry_continue", "list_for_each_entry_from"}
)  # fmt: skip

PLAIN = Example(
    "a new reader beside the old one",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_add_tail_rcu(&g->node, &hub->gadgets);
 	spin_unlock(&hub->lock);
 }

+static int hub_sum(struct hub *hub)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	rcu_read_lock();
+	list_for_each_entry(g, &hub->gadgets, node) // <-- warns
+		sum += g->id;
+	rcu_read_unlock();
+	return sum;
+}
""",
)

LOCKED = Example(
    "the update lock is held as well, here or by the caller; the section is for something else; another list",
    """\
 struct gadget { struct list_head node; struct list_head own; int id; };
 struct hub { struct mutex lock; struct list_head gadgets; struct list_head private; struct table __rcu *table; };

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
 	list_add_tail_rcu(&g->node, &hub->gadgets);
 	list_add_tail(&g->own, &hub->private);
 	mutex_unlock(&hub->lock);
 }

+static int hub_sum(struct hub *hub)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	lockdep_assert_held(&hub->lock);
+	rcu_read_lock();
+	list_for_each_entry(g, &hub->gadgets, node)
+		sum += g->id;
+	rcu_read_unlock();
+	return sum;
+}
+
+static int hub_weigh(struct hub *hub)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	rcu_read_lock();
+	list_for_each_entry(g, &hub->gadgets, node)
+		sum += rcu_dereference(hub->table)->weight[g->id];
+	rcu_read_unlock();
+	return sum;
+}
+
+static int hub_count(struct hub *hub)
+{
+	struct gadget *g;
+	int count = 0;
+
+	guard(rcu)();
+	list_for_each_entry(g, &hub->private, own)
+		count++;
+	return count;
+}
+
+static int hub_first(struct hub *hub)
+{
+	struct gadget *g;
+
+	guard(rcu)();
+	list_for_each_entry(g, &hub->gadgets, node)
+		return g->id;
+	return -1;
+}
+
+static int hub_first_of(struct hub *hub)
+{
+	guard(mutex)(&hub->lock);
+	return hub_first(hub);
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
 	list_add_tail_rcu(&g->node, &hub->gadgets);
 }

+static int sum_of(struct list_head *head)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	guard(rcu)();
+	list_for_each_entry(g, head, node)
+		sum += g->id;
+	return sum;
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 10", "include/linux/rculist.h list_for_each_entry_rcu()"),
    why="""The plain iterator loads the next pointers as if nobody could change them.  A reader may then see an entry
    before its fields, and the compiler may load a pointer twice.""",
    instead="list_for_each_entry_rcu() in the reader, or the update lock around the plain walk.",
    bad=(PLAIN,),
    good=(LOCKED,),
    blind_spots=(HEAD_GIVEN,),
    replaces=("rcu-primitive-dropped",),
)
def plain_iteration_in_reader(code: Code) -> Iterator[Hit]:
    """An RCU read-side section walks an RCU list with a plain iterator."""
    for fact, protection in plain_walks(code.facts, _WALKS):
        yield hit(
            fact,
            str(fact.head),
            f"{fact.name}() over {fact.head} in a reader",
            (*who_publishes_and_reads(protection), fact.evidence(Role.READER)),
            question=f"Is the lock held here that updaters of {fact.head} take?",
            cure=f"If not: the _rcu form of {fact.name}().",
        )
