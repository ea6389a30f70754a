"""error-path-frees-published: an error path takes back what readers could already see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.code.facts import Fact, FactKind
from bot.code.lifetime import Freed
from bot.code.removal import is_null
from bot.code.structs import LOCAL
from bot.model import Evidence, Hit, Level, Role
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
+
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
+
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

TOO_EARLY = Example(
    "the error comes before publication, and loops make a new object each turn",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

+static int gadget_fill(struct hub *hub, int count)
+{
+	struct gadget *g;
+
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
""",
)

ONLY_ON_SUCCESS = Example(
    "published when all went well, freed when not, behind the same condition",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

+static int gadget_create(struct hub *hub)
+{
+	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
+	int ret = gadget_open(g);
+
+	if (ret >= 0)
+		list_add_rcu(&g->node, &hub->gadgets);
+	hub_done(hub);
+	if (ret >= 0)
+		return ret;
+	kfree(g);
+	return ret;
+}
""",
)

STAGING = Example(
    "the list is a local one",
    """\
 struct gadget { struct list_head node; };

+static int gadget_collect(void)
+{
+	LIST_HEAD(found);
+	struct gadget *g = gadget_next();
+
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
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

+static int hub_first_gadget(struct hub *hub, struct gadget *g)
+{
+	list_add_rcu(&g->node, &hub->gadgets);
+	if (gadget_open(g)) {
+		list_del_rcu(&g->node); // <-- warns
+		kfree(g);
+		return -EIO;
+	}
+	return 0;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/RCU/checklist.rst item 4c"),
    why="""From publication on, readers can hold the object.  An error path that takes it back is an ordinary removal:
    it needs the _rcu form and a grace period, though nothing may seem to have used the object yet.""",
    instead="""Do what can fail before publishing.  Where that cannot be: list_del_rcu() and synchronize_rcu(), or
    kfree_rcu(), on the error path.""",
    replaces_anywhere=("half-converted-rculist",),
    bad=(LIST, LEFT_ON_LIST, POINTER),
    good=(WAITED, TOO_EARLY, ONLY_ON_SUCCESS, STAGING),
    blind_spots=(NOBODY_YET,),
    replaces=("plain-del-on-rculist", "del-init-on-rculist", "free-without-grace-period"),
)
def error_path_frees_published(code: Code) -> Iterator[Hit]:
    """An object is freed with no grace period in the function that published it."""
    for protection in code.facts.lists.values():
        shown = who_publishes_and_reads(protection)
        removals = protection.of(FactKind.UNLINK)
        for add in protection.of(FactKind.ADD, rcu=True):
            if add.head.owner == LOCAL or code.lifetime.owner_private(add):
                continue
            if not code.lifetime.stated(add.where, add):
                yield from _taken_back(code, add, add.variable, str(add.head), removals, shown)
    for pointer in code.facts.pointers.values():
        for store in pointer.of(FactKind.STORE, rcu=True):
            if store.value.isidentifier() and not is_null(store.value) and not code.lifetime.owner_private(store):
                yield from _taken_back(code, store, store.value, str(pointer.field), (), pointer.who_reads())


def _taken_back(
    code: Code, published: Fact, variable: str, subject: str, removals: Sequence[Fact], shown: tuple[Evidence, ...]
) -> Iterator[Hit]:
    function = published.where
    reached = set(code.lifetime.until_wait(function, published.step, variable))
    for removal in removals:
        if removal.where is function and removal.variable == variable and removal.step in reached:
            freed = next(code.lifetime.freed(function, removal.step, variable), None)
            if freed is not None and not code.lifetime.stated(function, removal):
                evidence = (*shown, removal.evidence(Role.REMOVE), *free_without_wait(removal, freed))
                yield _warning(published, removal, variable, subject, evidence)
                return
    for fact in code.facts.facts(function):
        # A callee that frees may only drop the publisher's own reference, so a free in plain sight is asked for.
        if fact.kind is not FactKind.FREE or fact.value or fact.variable != variable or fact.step not in reached:
            continue
        if not code.lifetime.waits_between(function, published.step, fact.step):
            evidence = (*shown, *free_without_wait(fact, Freed(fact, fact.line, fact.code)))
            yield _warning(published, fact, variable, subject, evidence, confidence=0.7)
            return


def _warning(
    published: Fact,
    place: Fact,
    variable: str,
    subject: str,
    evidence: tuple[Evidence, ...],
    confidence: float | None = None,
) -> Hit:
    return hit(
        place,
        subject,
        f"{place.name}() takes back {variable}, which {published.name}() put on {subject}",
        evidence,
        question=f"Can a reader have found {variable} between line {published.line} and line {place.line}?",
        cure="If so: let a grace period pass on the error path before the free, or publish after what can fail.",
        confidence=confidence,
    )
