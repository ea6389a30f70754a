"""plain-del-on-rculist: list_del() of a node that RCU readers may be standing on."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import FactKind
from bot.code.removal import unlinks
from bot.code.vocabulary import DEL_INITS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, Excused, free_without_wait, hit, rule, who_publishes_and_reads

BAD = Example(
    "the untouched release path of a list that becomes an RCU list",
    """\
 struct gadget { struct list_head node; struct gadget_ops *ops; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static int gadget_find(struct hub *hub, int id)
 {
 	struct gadget *g;
 	int found = 0;
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		found += g->ops->id == id;
+	rcu_read_unlock();
 	return found;
 }

 static int gadget_create(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 	mutex_unlock(&hub->lock);
 	return 0;
 }

 static int gadget_release(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
 	list_del(&g->node); // <-- warns
 	g->ops->release(g);
 	mutex_unlock(&hub->lock);
 	return 0;
 }
""",
)

DESTRUCTOR = Example(
    "the destructor that runs after the owner's last reference is gone",
    """\
 struct gadget { struct list_head node; };
 struct hub { refcount_t users; struct list_head gadgets; };

 static void gadget_create(struct hub *hub, struct gadget *g)
 {
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 }

 static void hub_destroy(struct hub *hub)
 {
 	struct gadget *g, *tmp;
 	list_for_each_entry_safe(g, tmp, &hub->gadgets, node) {
 		list_del(&g->node);
 		kfree(g);
 	}
 	kfree(hub);
 }

 void hub_put(struct hub *hub)
 {
 	if (refcount_dec_and_test(&hub->users))
 		hub_destroy(hub);
 }
""",
)

OTHER_HEAD = Example(
    "the same member on another, plain list; an error path that is left before publication",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; struct list_head spare; struct list_head pending; };

 static void gadget_publish(struct hub *hub, struct gadget *g)
 {
+	list_add_rcu(&g->node, &hub->gadgets);
 }

 static void hub_drop_spare(struct hub *hub)
 {
 	struct gadget *g, *tmp;
 	list_for_each_entry_safe(g, tmp, &hub->spare, node) {
 		list_del(&g->node);
 		kfree(g);
 	}
 }

 static int gadget_create(struct hub *hub)
 {
 	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
 	if (gadget_setup(g)) {
 		list_del(&g->node);
 		kfree(g);
 		return -EINVAL;
 	}
+	list_add_rcu(&g->node, &hub->gadgets);
 	return 0;
 }
""",
)

CONVERTED = Example(
    "the removal is converted and waits",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void gadget_create(struct hub *hub, struct gadget *g)
 {
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 }

 static void gadget_release(struct hub *hub, struct gadget *g)
 {
-	list_del(&g->node);
+	list_del_rcu(&g->node);
+	synchronize_rcu();
 	kfree(g);
 }
""",
)

CALLER_WAITS = Example(
    "a caller that made all readers leave long before, in a way the code does not show",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void gadget_create(struct hub *hub, struct gadget *g)
 {
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 }

 static void gadget_forget(struct hub *hub, struct gadget *g)
 {
 	list_del(&g->node); // <-- warns
 	kfree(g);
 }

 static void hub_quiesced(struct hub *hub, struct gadget *g)
 {
 	hub_stop_all_readers(hub);
 	gadget_forget(hub, g);
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.9,
    sources=("Documentation/RCU/checklist.rst item 4c", "include/linux/rculist.h list_del_rcu()"),
    why="""list_del() overwrites the node's next pointer with a poison value.  A reader that stands on the node follows
    the poison, and as a rule nothing keeps the object from being freed under it either.""",
    instead="""Remove with list_del_rcu() (hlist_del_rcu(), hash_del_rcu()), then let a grace period pass before the
    object is freed or reused: synchronize_rcu(), call_rcu() or kfree_rcu().  Keep list_del() only where no reader can
    exist any more, and say so in a comment.""",
    replaces_anywhere=("half-converted-rculist",),
    bad=(BAD,),
    good=(DESTRUCTOR, OTHER_HEAD, CONVERTED),
    blind_spots=(CALLER_WAITS,),
)
def plain_del_on_rculist(code: Code) -> Iterator[Hit | Excused]:
    """list_del() of a node that RCU readers may be standing on."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=False):
        fact, head = unlink.fact, str(unlink.head)
        if fact.name in DEL_INITS:
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
                *free_without_wait(fact, freed),
            ),
            question=f"Can {fact.function}() run while a reader is on the list?",
            cure=f"If so: list_del_rcu() and a grace period before {fact.variable} is freed or reused.",
            confidence=None if unlink.protection.of(FactKind.WALK, rcu=True) else 0.8,
        )
