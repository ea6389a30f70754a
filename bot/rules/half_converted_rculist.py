"""half-converted-rculist: a diff makes a list an RCU list and shows no removal that waits."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.protection import ListProtection
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, nothing_found, rule, who_publishes_and_reads

ADD_ONLY = Example(
    "only the publication is converted",
    """\
 static int gadget_create(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets); // <-- warns
 	mutex_unlock(&hub->lock);
 	return 0;
 }

 static bool gadget_any(struct hub *hub)
 {
 	struct gadget *g;

-	lockdep_assert_held(&hub->lock);
-	list_for_each_entry(g, &hub->gadgets, node)
+	guard(rcu)();
+	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (g->ready)
 			return true;
 	return false;
 }
""",
    tree=False,
)

WITH_REMOVAL = Example(
    "the diff holds the removal and its wait",
    """\
 static int gadget_create(struct hub *hub, struct gadget *g)
 {
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 	return 0;
 }

 static void gadget_release(struct hub *hub, struct gadget *g)
 {
-	list_del(&g->node);
+	list_del_rcu(&g->node);
+	synchronize_rcu();
 	g->ops->release(g);
 }
""",
    tree=False,
)

WAS_ONE_BEFORE = Example(
    "the list was an RCU list before, of which the diff shows another part",
    """\
 static void gadget_poke(struct hub *hub)
 {
 	struct gadget *g;

 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

 static int gadget_create(struct hub *hub, struct gadget *g)
 {
-	list_add(&g->node, &hub->gadgets);
+	list_add_rcu(&g->node, &hub->gadgets);
 	return 0;
 }
""",
    tree=False,
)

NEW_LIST = Example(
    "a new list, whose removal may be anywhere",
    """\
+static int gadget_create(struct hub *hub, struct gadget *g)
+{
+	list_add_rcu(&g->node, &hub->gadgets);
+	return 0;
+}
""",
    tree=False,
)

NEVER_REMOVED = Example(
    "a list from which nothing is ever removed, which no hunk can show",
    """\
 int driver_register(struct driver *d)
 {
-	list_add_tail(&d->node, &drivers);
+	list_add_tail_rcu(&d->node, &drivers); // <-- warns
 	return 0;
 }
""",
    tree=False,
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 4c", "Documentation/RCU/checklist.rst item 14"),
    why="""A list is an RCU list when all of its updaters treat it as one: a removal left as it was poisons the node
    under a reader, a free without a grace period takes it away.""",
    instead="""Convert every removal to list_del_rcu() and wait before the object goes, or say in the changelog why no
    reader can be there.  With a source tree the review looks up the removals itself.""",
    bad=(ADD_ONLY,),
    good=(WITH_REMOVAL, WAS_ONE_BEFORE, NEW_LIST),
    blind_spots=(NEVER_REMOVED,),
    hunk_proves=True,
)
def half_converted_rculist(code: Code) -> Iterator[Hit]:
    """A diff turns a list into an RCU list and shows no removal that waits for readers."""
    if code.before is None:
        return
    for node, protection in code.facts.lists.items():
        adds = [fact for fact in protection.of(FactKind.ADD, rcu=True) if not fact.where.image.whole]
        before = code.before.facts.lists.get(node)
        if not adds or before is None or any(fact.rcu for fact in before.facts):
            continue
        if before.of(FactKind.ADD, rcu=False) and not _waits_somewhere(code):
            yield _warning(adds[0], protection)


def _waits_somewhere(code: Code) -> bool:
    """Whether any changed function waits: with so little in sight, it may well be for these readers."""
    return any(fact.kind in {FactKind.WAIT, FactKind.DEFER} for fact in code.facts.all_facts)


def _warning(add: Fact, protection: ListProtection) -> Hit:
    removals = protection.of(FactKind.UNLINK)
    looked = "no grace period in these hunks; no tree was at hand, so other functions were not seen"
    evidence: list[Evidence] = [*who_publishes_and_reads(protection)]
    evidence += [fact.evidence(Role.REMOVE) for fact in removals[:2]]
    if not removals:
        evidence.append(nothing_found(Role.REMOVE, "no removal in these hunks"))
    evidence.append(nothing_found(Role.WAIT, looked))
    return hit(
        add,
        str(add.head),
        f"{add.name}() makes {add.head} an RCU list, and nothing in the diff waits",
        tuple(evidence),
        question=f"Which functions take objects off {add.head}, and what do they wait for before the free?",
        cure="Each needs the _rcu removal and a grace period, or a word on why no reader can be there.",
    )
