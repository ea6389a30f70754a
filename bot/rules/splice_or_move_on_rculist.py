"""splice-or-move-on-rculist: entries are carried to another list under readers that stand on them."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact
from bot.code.removal import carried_away, over_unknown_head, unlinks
from bot.code.structs import Key
from bot.code.vocabulary import MOVES
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, Excused, hit, rule, who_publishes_and_reads

SPLICE = Example(
    "a live list is spliced off before it is emptied",
    """\
 struct gadget { struct list_head node; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;
 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static void hub_flush(struct hub *hub)
+{
+	LIST_HEAD(dead);
+	spin_lock(&hub->lock);
+	list_splice_init(&hub->gadgets, &dead); // <-- warns
+	spin_unlock(&hub->lock);
+	synchronize_rcu();
+	hub_free_all(&dead);
+}
""",
)

MOVE = Example(
    "an entry is moved to another list",
    """\
 struct gadget { struct list_head node; };
 struct hub { spinlock_t lock; struct list_head gadgets; struct list_head idle; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;
 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

 static void hub_rest(struct hub *hub)
 {
 	struct gadget *g, *next;

 	spin_lock(&hub->lock);
 	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		list_move(&g->node, &hub->idle); // <-- warns
 	spin_unlock(&hub->lock);
 }
""",
)

STAGED = Example(
    "a local list, a plain list, an hlist with a wait behind, the splice that waits itself",
    """\
 struct gadget { struct list_head node; };
 struct widget { struct hlist_node link; };
 struct hub { struct list_head gadgets; struct list_head spare; struct hlist_head widgets; };

 static void hub_poke(struct hub *hub, struct gadget *g, struct widget *w)
 {
 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 	hlist_for_each_entry_rcu(w, &hub->widgets, link)
 		poke(w);
 }

+static void hub_strip(struct hub *hub, struct hlist_head *dead)
+{
+	hlist_move_list(&hub->widgets, dead);
+	synchronize_rcu();
+}
+
+static void hub_refill(struct hub *hub, struct gadget *g)
+{
+	LIST_HEAD(fresh);
+	LIST_HEAD(dead);
+	list_add(&g->node, &fresh);
+	list_splice_init(&fresh, &hub->spare);
+	list_splice_init(&hub->spare, &dead);
+	list_splice_init_rcu(&hub->gadgets, &dead, synchronize_rcu);
+}
""",
)

LAST = Example(
    "the owner of the list has lost its last reference, or was hidden a grace period ago",
    """\
 struct gadget { struct list_head node; };
 struct hub { refcount_t users; struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static void hub_free(struct hub *hub)
+{
+	LIST_HEAD(dead);
+	list_splice_init(&hub->gadgets, &dead);
+	hub_free_all(&dead);
+}
+
+static void hub_hide(struct hub *hub)
+{
+	LIST_HEAD(dead);
+	hub_unregister(hub);
+	synchronize_rcu();
+	list_splice_init(&hub->gadgets, &dead);
+	hub_free_all(&dead);
+}
+
 void hub_put(struct hub *hub)
 {
 	if (refcount_dec_and_test(&hub->users))
-		hub_free_now(hub);
+		hub_free(hub);
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("include/linux/rculist.h list_splice_init_rcu()", "Documentation/RCU/checklist.rst item 4c"),
    why="""A reader that stands on an entry follows it to the list it was carried to, never meets the head that it
    started from, and may go round for ever.""",
    instead="""list_splice_init_rcu() with synchronize_rcu, which empties the head and waits before it links; for one
    entry list_del_rcu(), a grace period, then the add.""",
    bad=(SPLICE, MOVE),
    good=(STAGED, LAST),
    replaces=("plain-del-on-rculist", "plain-add-on-rculist", "free-without-grace-period"),
)
def splice_or_move_on_rculist(code: Code) -> Iterator[Hit | Excused]:
    """list_splice() or list_move() of entries that RCU readers may be standing on."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=False):
        if unlink.fact.name in MOVES and not unlink.excuse and not over_unknown_head(unlink):
            yield _warning(unlink.fact, unlink.head, who_publishes_and_reads(unlink.protection))
    for splice, protection in carried_away(code.facts, code.lifetime):
        if splice.name.startswith("hlist") and code.lifetime.waits(splice.where):
            continue  # an hlist ends in NULL wherever its head is: readers come to the end, and are waited for
        owner = frozenset({splice.variable})
        excuse = code.lifetime.last_reference(splice.where, owner) or code.lifetime.stated(splice.where, splice)
        if excuse:
            yield Excused(str(splice.head), splice.evidence(Role.EXCUSED, excuse), excuse)
        else:
            yield _warning(splice, splice.head, who_publishes_and_reads(protection))


def _warning(fact: Fact, head: Key, shown: tuple[Evidence, ...]) -> Hit:
    return hit(
        fact,
        str(head),
        f"{fact.name}() carries entries of {head} away under its readers",
        (*shown, fact.evidence(Role.REMOVE)),
        question=f"Can a reader stand on {head} while {fact.function}() runs?",
        cure="If so: list_splice_init_rcu(), or list_del_rcu() and a grace period before the entry goes elsewhere.",
    )
