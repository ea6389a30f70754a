"""plain-add-on-rculist: list_add() onto a list that RCU readers walk."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import FactKind
from bot.code.structs import LOCAL
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule

READER_ADDED = Example(
    "a lockless reader appears, the add stays as it was",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
 	list_add(&g->node, &hub->gadgets); // <-- warns
 	mutex_unlock(&hub->lock);
 }

 static bool gadget_known(struct hub *hub, int id)
 {
 	struct gadget *g;

-	mutex_lock(&hub->lock);
-	list_for_each_entry(g, &hub->gadgets, node)
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (g->id == id)
 			break;
-	mutex_unlock(&hub->lock);
+	rcu_read_unlock();
 	return !list_entry_is_head(g, &hub->gadgets, node);
 }
""",
)

SECOND_ADD = Example(
    "one more place that adds, without the _rcu form that the others use",
    """\
 struct gadget { struct hlist_node node; };
 static HLIST_HEAD(gadgets);

 static int gadget_count(void)
 {
 	struct gadget *g;
 	int n = 0;

 	guard(rcu)();
 	hlist_for_each_entry_rcu(g, &gadgets, node)
 		n++;
 	return n;
 }

+static void gadget_clone(struct gadget *g)
+{
+	hlist_add_head(&g->node, &gadgets); // <-- warns
+}
""",
)

OTHER_HEAD = Example(
    "the same member, on a plain list and on a local one",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; struct list_head spare; };

+static void gadget_move(struct hub *hub, struct gadget *g, struct gadget *last)
+{
+	LIST_HEAD(dead);
+	struct gadget *other;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(other, &hub->gadgets, node)
+		poke(other);
+	rcu_read_unlock();
+	list_add(&g->node, &hub->spare);
+	list_add(&last->node, &dead);
+}
""",
)

CONSTRUCTOR = Example(
    "the owner of the list is being made, so no reader can find it",
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

+static struct hub *hub_make(struct gadget *first)
+{
+	struct hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);
+
+	if (!hub)
+		return NULL;
+	INIT_LIST_HEAD(&hub->gadgets);
+	list_add(&first->node, &hub->gadgets);
+	return hub;
+}
""",
)

MADE_BY_CALLER = Example(
    "a helper fills what its only caller is making",
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

+static void hub_fill(struct hub *hub, struct gadget *first)
+{
+	list_add_tail(&first->node, &hub->gadgets);
+}
+
+static struct hub *hub_make(struct gadget *first)
+{
+	struct hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);
+
+	if (hub)
+		hub_fill(hub, first);
+	return hub;
+}
""",
)

BEFORE_READERS = Example(
    "boot code that runs before any reader does",
    """\
 struct gadget { struct list_head node; };
 static LIST_HEAD(gadgets);

 static void gadgets_poke(void)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &gadgets, node)
 		poke(g);
 }

+static void gadgets_boot(struct gadget *first)
+{
+	list_add(&first->node, &gadgets); // <-- warns
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 4b", "include/linux/rculist.h list_add_rcu()"),
    why="""list_add() links the node with plain stores.  On a weakly ordered machine a reader can follow the new link
    before it sees what the object holds.""",
    instead="list_add_rcu(), list_add_tail_rcu(), hlist_add_head_rcu(), hash_add_rcu(): they order the stores.",
    bad=(READER_ADDED, SECOND_ADD),
    good=(OTHER_HEAD, CONSTRUCTOR, MADE_BY_CALLER),
    blind_spots=(BEFORE_READERS,),
)
def plain_add_on_rculist(code: Code) -> Iterator[Hit]:
    """list_add() onto a list that RCU readers walk."""
    for protection in code.facts.lists.values():
        walks = protection.of(FactKind.WALK, rcu=True)
        for add in protection.of(FactKind.ADD, rcu=False):
            readers = [walk for walk in walks if walk.head == add.head and walk.where.held[walk.step].reading]
            if not readers or add.head.owner == LOCAL:
                continue
            if code.lifetime.owner_private(add) or code.lifetime.stated(add.where, add):
                continue
            head = str(add.head)
            yield hit(
                add,
                head,
                f"{add.name}() onto {head}, which RCU readers walk",
                (add.evidence(Role.PUBLISH), *(walk.evidence(Role.READER) for walk in readers[:2])),
                question=f"Can a reader walk {head} while {add.function}() runs?",
                cure=f"If so: the _rcu form of {add.name}().",
            )
