"""reuse-node-before-grace-period: a node that readers may stand on is put on another list at once."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.protection import ListProtection
from bot.code.removal import Unlink, unlinks
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, nothing_found, rule, who_publishes_and_reads

FREE_LIST = Example(
    "the entry goes to a free list",
    """\
 struct gadget { struct list_head node; };
 struct hub { spinlock_t lock; struct list_head gadgets; struct list_head unused; };

 static void gadget_retire(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_del_rcu(&g->node);
+	list_add(&g->node, &hub->unused); // <-- warns
 	spin_unlock(&hub->lock);
 }
""",
)

COLLECTED = Example(
    "the entries are collected on a local list to be freed after one grace period",
    """\
 struct gadget { struct list_head node; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

+static void hub_flush(struct hub *hub)
+{
+	struct gadget *g, *next;
+	LIST_HEAD(dead);
+
+	spin_lock(&hub->lock);
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
+		list_del_rcu(&g->node);
+		list_add(&g->node, &dead); // <-- warns
+	}
+	spin_unlock(&hub->lock);
+	synchronize_rcu();
+	hub_free_all(&dead);
+}
""",
)

WAITED = Example(
    "a grace period between, another member for the other list, lists of nulls",
    """\
 struct gadget { struct list_head node; struct list_head spare; struct hlist_nulls_node link; };
 struct hub { struct list_head gadgets; struct list_head unused; struct list_head dead; };

+static void gadget_retire(struct hub *hub, struct gadget *g, struct hlist_nulls_head *chain)
+{
+	list_del_rcu(&g->node);
+	list_add(&g->spare, &hub->dead);
+	synchronize_rcu();
+	list_add(&g->node, &hub->unused);
+	hlist_nulls_del_init_rcu(&g->link);
+	hlist_nulls_add_head_rcu(&g->link, chain);
+}
""",
)

SAME_LIST = Example(
    "an entry that keeps its list, or its chain of a hash table; another entry of the loop",
    """\
 struct gadget { struct list_head node; struct hlist_node link; };
 struct hub { struct list_head gadgets; struct list_head unused; };

+static void gadget_rename(struct hub *hub, struct gadget *g, struct hlist_head *chain)
+{
+	list_del_rcu(&g->node);
+	list_add_tail_rcu(&g->node, &hub->gadgets);
+	hlist_del_rcu(&g->link);
+	hlist_add_head_rcu(&g->link, chain);
+}
+
+static int hub_trade(struct hub *hub, struct gadget *old)
+{
+	struct gadget *g = old;
+
+	list_del_rcu(&g->node);
+	g = gadget_new();
+	list_add(&g->node, &hub->unused);
+	return 0;
+}
""",
)

IN_CALLEE = Example(
    "the add is in a callee",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head unused; };

 static void gadget_keep(struct hub *hub, struct gadget *g)
 {
 	list_add(&g->node, &hub->unused);
 }

+static void gadget_retire(struct hub *hub, struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	gadget_keep(hub, g);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 14", "include/linux/rculist.h list_del_rcu()"),
    why="""list_del_rcu() leaves the next pointer for the readers that stand on the entry.  To add the entry elsewhere
    overwrites that pointer: they walk on through the other list, and never meet the head that they started from.""",
    instead="A second list_head for the other list, or a grace period between removal and add.",
    bad=(FREE_LIST, COLLECTED),
    good=(WAITED, SAME_LIST),
    blind_spots=(IN_CALLEE,),
    replaces=("free-without-grace-period",),
    hunk_proves=True,
)
def reuse_node_before_grace_period(code: Code) -> Iterator[Hit]:
    """A node goes from an RCU list to another list with no grace period between."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=True):
        if not unlink.fact.name.startswith("list_") or unlink.excuse:
            continue
        add = _added_again(code, unlink, unlink.protection)
        if add is not None:
            head = str(unlink.head)
            yield hit(
                add,
                head,
                f"{add.name}() of {unlink.fact.variable}, which readers of {head} may stand on",
                (
                    *who_publishes_and_reads(unlink.protection),
                    unlink.fact.evidence(Role.REMOVE),
                    add.evidence(Role.PUBLISH),
                    nothing_found(Role.WAIT, "no grace period between removal and add"),
                ),
                question=f"Where does a reader go that stands on {unlink.fact.variable} now?",
                cure="A list_head of its own for the second list, or a grace period before the add.",
            )


def _added_again(code: Code, unlink: Unlink, protection: ListProtection) -> Fact | None:
    """The add of the same node to another list that a path meets before it waits."""
    removal = unlink.fact
    adds = [
        fact
        for fact in protection.of(FactKind.ADD)
        if fact.where is removal.where and fact.variable == removal.variable and fact.node == removal.node
    ]
    if not adds:
        return None
    head = protection.head_of(removal)
    reached = set(code.lifetime.until_wait(removal.where, removal.step, removal.variable))
    for add in adds:
        elsewhere = not add.rcu or (add.head.known and head is not None and head.known and add.head != head)
        if add.step in reached and elsewhere and not code.lifetime.stated(removal.where, add):
            return add
    return None
