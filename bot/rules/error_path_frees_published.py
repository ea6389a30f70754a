"""error-path-frees-published: an error path takes back what readers could already see."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import FactKind
from bot.code.removal import taken_back
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, free_without_wait, hit, rule, who_publishes_and_reads

LIST = Example(
    "a handle cannot be made, so the published object is unlinked and freed",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static int gadget_create(struct hub *hub)
 {
 	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
 	int ret;
 	mutex_lock(&hub->lock);
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 	mutex_unlock(&hub->lock);
 	ret = gadget_open(g);
 	if (ret < 0) {
 		mutex_lock(&hub->lock);
 		list_del(&g->node); // <-- warns
 		mutex_unlock(&hub->lock);
 		kfree(g);
 	}
 	return ret;
 }
""",
)

LEFT_ON_LIST = Example(
    "freed on the error path while it is still on the list",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static int gadget_create(struct hub *hub, int id)
 {
 	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
 	int ret;
+	list_add_tail_rcu(&g->node, &hub->gadgets);
 	ret = gadget_name(g, id);
 	if (ret) {
+		kfree(g); // <-- warns
 		return ret;
 	}
 	return 0;
 }
""",
)

POINTER = Example(
    "a pointer is published, withdrawn and freed",
    """\
 struct state { int nr; };
 struct vm { struct state __rcu *state; };

+static int state_install(struct vm *vm)
+{
+	struct state *s = kzalloc(sizeof(*s), GFP_KERNEL);
+	rcu_assign_pointer(vm->state, s);
+	if (state_start(vm)) {
+		RCU_INIT_POINTER(vm->state, NULL);
+		kfree(s); // <-- warns
+		return -EIO;
+	}
+	return 0;
+}
""",
)

WAITED = Example(
    "the error path waits, or hands the object to kfree_rcu()",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; };
 struct hub { struct list_head gadgets; };

+static int gadget_create(struct hub *hub, bool later)
+{
+	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
+	if (!g)
+		return -ENOMEM;
+	list_add_rcu(&g->node, &hub->gadgets);
+	if (gadget_open(g)) {
+		list_del_rcu(&g->node);
+		if (later) {
+			kfree_rcu(g, rcu);
+			return -EAGAIN;
+		}
+		synchronize_rcu();
+		kfree(g);
+		return -EIO;
+	}
+	return 0;
+}
""",
)

NOT_PUBLISHED = Example(
    "a failure before publication, publication on success alone, a local list",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

+static int gadget_fill(struct hub *hub, int count)
+{
+	struct gadget *g;
+	while (count--) {
+		g = kzalloc(sizeof(*g), GFP_KERNEL);
+		if (!g)
+			return -ENOMEM;
+		if (gadget_open(g)) {
+			kfree(g);
+			return -EIO;
+		}
+		list_add_rcu(&g->node, &hub->gadgets);
+	}
+	return 0;
+}
+

+static int gadget_create(struct hub *hub)
+{
+	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
+	int ret = gadget_open(g);
+	if (ret >= 0)
+		list_add_rcu(&g->node, &hub->gadgets);
+	hub_done(hub);
+	if (ret >= 0)
+		return ret;
+	kfree(g);
+	return ret;
+}
+

+static int gadget_collect(void)
+{
+	LIST_HEAD(found);
+	struct gadget *g = gadget_next();
+	list_add_rcu(&g->node, &found);
+	if (gadget_open(g)) {
+		list_del(&g->node);
+		kfree(g);
+	}
+	return 0;
+}
""",
)

NOBODY_YET = Example(
    "the list is not reachable for readers yet, which only the caller knows",
    """\
+static int hub_first_gadget(struct hub *hub, struct gadget *g)
+{
+	list_add_rcu(&g->node, &hub->gadgets);
+	if (!gadget_open(g))
+		return 0;
+	list_del_rcu(&g->node); // <-- warns
+	kfree(g);
+	return -EIO;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/RCU/checklist.rst item 4c"),
    why="""From publication on, readers can hold the object.  An error path that takes it back is an ordinary removal:
    it needs the _rcu form and a grace period, though nothing may seem to have used the object yet.""",
    instead="Do what can fail before publishing; else let a grace period pass on the error path, or use kfree_rcu().",
    replaces_anywhere=("half-converted-rculist",),
    bad=(LIST, LEFT_ON_LIST, POINTER),
    good=(WAITED, NOT_PUBLISHED),
    blind_spots=(NOBODY_YET,),
    replaces=("plain-del-on-rculist", "del-init-on-rculist", "free-without-grace-period"),
)
def error_path_frees_published(code: Code) -> Iterator[Hit]:
    """An object is freed with no grace period in the function that published it."""
    for found in taken_back(code.facts, code.lifetime):
        published, place, variable = found.published, found.place, found.variable
        shown = who_publishes_and_reads(found.list) if found.list else ()
        removal = (place.evidence(Role.REMOVE),) if place.kind is FactKind.UNLINK else ()
        yield hit(
            place,
            str(published.head),
            f"{place.name}() takes back {variable}, which {published.name}() put on {published.head}",
            (*(shown or (published.evidence(Role.PUBLISH),)), *removal, *free_without_wait(place, found.freed)),
            question=f"Can a reader have found {variable} between line {published.line} and line {place.line}?",
            cure="If so: let a grace period pass on the error path before the free, or publish after what can fail.",
            confidence=None if removal else 0.7,
        )
