"""plain-replace: list_replace() puts a new entry before RCU readers by plain stores."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.removal import unlinks
from bot.code.vocabulary import REPLACES
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, Excused, free_without_wait, hit, rule, who_publishes_and_reads

SWAP = Example(
    "the entry is exchanged, and the old one freed",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static bool gadget_known(struct hub *hub, int id)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (g->id == id)
 			return true;
 	return false;
 }

+static void gadget_swap(struct hub *hub, struct gadget *old, struct gadget *new)
+{
+	mutex_lock(&hub->lock);
+	list_replace(&old->node, &new->node); // <-- warns
+	mutex_unlock(&hub->lock);
+	kfree(old);
+}
""",
)

READER_ADDED = Example(
    "a lockless reader appears, the exchange stays as it was",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static void gadget_swap(struct hub *hub, struct gadget *old, struct gadget *new)
 {
 	mutex_lock(&hub->lock);
 	list_replace_init(&old->node, &new->node); // <-- warns
 	mutex_unlock(&hub->lock);
 }

 static int hub_sum(struct hub *hub)
 {
 	struct gadget *g;
 	int sum = 0;

-	guard(mutex)(&hub->lock);
-	list_for_each_entry(g, &hub->gadgets, node)
+	guard(rcu)();
+	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		sum += g->id;
 	return sum;
 }
""",
)

CONVERTED = Example(
    "the _rcu form, with a grace period before the free; a list that nobody else sees",
    """\
 struct gadget { struct list_head node; struct list_head spare; struct rcu_head rcu; };
 struct hub { struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static void gadget_swap(struct hub *hub, struct gadget *old, struct gadget *new)
+{
+	list_replace_rcu(&old->node, &new->node);
+	list_replace(&old->spare, &new->spare);
+	kfree_rcu(old, rcu);
+}
+
+static void gadget_stage(struct gadget *old, struct gadget *new)
+{
+	LIST_HEAD(staged);
+
+	list_add(&old->node, &staged);
+	list_replace(&old->node, &new->node);
+}
""",
)

QUIESCED = Example(
    "readers were made to leave before, in a way the code does not show",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static void gadget_swap(struct hub *hub, struct gadget *old, struct gadget *new)
+{
+	hub_stop_all_readers(hub);
+	list_replace(&old->node, &new->node); // <-- warns
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 4c", "include/linux/rculist.h list_replace_rcu()"),
    why="""list_replace() publishes the new entry by a plain store: a reader can reach it before it sees what is in it.
    list_replace_init() makes the old one point to itself besides, and a reader on it never comes to the end.""",
    instead="list_replace_rcu(), and a grace period before the old entry is freed or reused.",
    bad=(SWAP, READER_ADDED),
    good=(CONVERTED,),
    blind_spots=(QUIESCED,),
    replaces=("plain-del-on-rculist", "plain-add-on-rculist"),
)
def plain_replace(code: Code) -> Iterator[Hit | Excused]:
    """list_replace() of an entry that RCU readers may be standing on."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=False):
        fact, head = unlink.fact, str(unlink.head)
        if fact.name not in REPLACES:
            continue
        if unlink.excuse:
            yield Excused(head, fact.evidence(Role.EXCUSED, unlink.excuse), unlink.excuse)
            continue
        freed = next(code.lifetime.freed(fact.where, fact.step, fact.variable), None)
        yield hit(
            fact,
            head,
            f"{fact.name}() on {head}, which is an RCU list",
            (
                *who_publishes_and_reads(unlink.protection),
                fact.evidence(Role.REMOVE),
                *(free_without_wait(fact, freed) if freed else ()),
            ),
            question=f"Can a reader walk {head} while {fact.function}() runs?",
            cure=f"If so: list_replace_rcu(), and a grace period before {fact.variable} is freed or reused.",
        )
