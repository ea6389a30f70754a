"""grace-period-removed: a patch takes out the wait between a removal and a free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.code.facts import Fact, FactKind, Function
from bot.code.lost import lost_wait, still_waits
from bot.code.removal import retirements, unlinks
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, free_without_wait, hit, rule, who_publishes_and_reads

DELETED = Example(
    "synchronize_rcu() is deleted from a release path",
    """\
 struct gadget { struct list_head node; struct gadget_ops *ops; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static int gadget_release(struct hub *hub, struct gadget *g)
 {
 	mutex_lock(&hub->lock);
 	list_del_rcu(&g->node); // <-- warns
-	synchronize_rcu();
 	g->ops->release(g);
 	mutex_unlock(&hub->lock);
 	return 0;
 }
""",
)

AT_ONCE = Example(
    "kfree_rcu() becomes kfree()",
    """\
 struct port { struct list_head node; struct rcu_head rcu; };

 static void port_remove(struct port *p)
 {
 	list_del_rcu(&p->node); // <-- warns
-	kfree_rcu(p, rcu);
+	kfree(p);
 }
""",
)

OUT_OF_SIGHT = Example(
    "the wait goes, and the free is the caller's",
    """\
 struct bus { int count; };
 struct vm { struct mutex lock; struct bus __rcu *bus; };

 static void bus_replace(struct vm *vm, struct bus *new)
 {
 	rcu_assign_pointer(vm->bus, new); // <-- warns
-	synchronize_srcu(&vm->srcu);
 }
""",
)

DEFERRED = Example(
    "the wait is replaced by a deferred free, one hand-over by another",
    """\
 struct port { struct list_head node; struct rcu_head rcu; };

 static void port_remove(struct port *p)
 {
 	list_del_rcu(&p->node);
-	synchronize_rcu();
-	kfree(p);
+	kfree_rcu(p, rcu);
 }

 static void port_remove(struct port *p)
 {
 	list_del_rcu(&p->node);
-	call_srcu(&ports_srcu, &p->rcu, port_free);
+	call_srcu_hurried(&ports_srcu, &p->rcu, port_free);
 }
""",
)

MOVED = Example(
    "the wait moves to the caller, behind a loop",
    """\
 struct port { struct list_head node; };

 static void port_unlink(struct port *p)
 {
 	list_del_rcu(&p->node);
-	synchronize_rcu();
 }

 static void port_remove_two(struct port *one, struct port *two)
 {
 	port_unlink(one);
 	port_unlink(two);
+	synchronize_rcu();
 	kfree(one);
 	kfree(two);
 }
""",
)

NO_READERS_LEFT = Example(
    "the list stops being an RCU list",
    """\
 struct port { struct list_head node; };
 struct bridge { struct list_head ports; };

 static void port_add(struct bridge *br, struct port *p)
 {
-	list_add_rcu(&p->node, &br->ports);
+	list_add(&p->node, &br->ports);
 }

 static void port_remove(struct port *p)
 {
-	list_del_rcu(&p->node);
-	synchronize_rcu();
+	list_del(&p->node);
 	kfree(p);
 }
""",
)

CALLER_WAITED = Example(
    "the wait was one too many, since a caller out of sight waits as well",
    """\
 struct bus { int count; };
 struct vm { struct bus __rcu *bus; };

 static void bus_clear(struct vm *vm)
 {
 	rcu_assign_pointer(vm->bus, NULL); // <-- warns
-	synchronize_rcu();
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 14",),
    why="The wait kept the object alive for its readers; it may also have told the caller that they see the new state.",
    instead="""Keep the wait, or replace it: call_rcu(), kfree_rcu(), one synchronize_rcu() for many removals.  Where it
    was not needed, the changelog says what orders the readers now.""",
    bad=(DELETED, AT_ONCE, OUT_OF_SIGHT),
    good=(DEFERRED, MOVED, NO_READERS_LEFT),
    blind_spots=(CALLER_WAITED,),
    replaces=("free-without-grace-period",),
    hunk_proves=True,
)
def grace_period_removed(code: Code) -> Iterator[Hit]:
    """A wait for readers that stood behind a removal is gone."""
    if code.before is None:
        return
    for removal, subject, variable, shown in _removals(code):
        lost = lost_wait(code.facts, code.before.facts, removal.where)
        if lost is None or code.lifetime.excuse(removal.where, removal):
            continue
        freed = next(code.lifetime.freed(removal.where, removal.step, variable), None) if variable else None
        if freed is None and still_waits(code.facts, code.before.facts, code.lifetime, removal.where):
            continue
        gone = lost.evidence(Role.WAIT, "taken out")
        evidence = (
            *shown,
            removal.evidence(Role.REMOVE),
            replace(gone, origin="base"),
            *free_without_wait(removal, freed),
        )
        yield hit(
            removal,
            subject,
            f"{lost.name}() is gone from behind {removal.name}() on {subject}",
            evidence,
            question=f"What waits for the readers of {subject} now?",
            cure="If nothing does, keep it, or free with kfree_rcu() or call_rcu().",
            confidence=None if freed is not None else 0.5,
        )


def _removals(code: Code) -> Iterator[tuple[Fact, str, str, tuple[Evidence, ...]]]:
    """Each removal with its object, the variable that holds it, and its readers; one for each function and object."""
    seen: set[tuple[Function, str]] = set()
    for unlink in unlinks(code.facts, code.lifetime, rcu=True):
        place = (unlink.fact.where, str(unlink.head))
        if place not in seen:
            seen.add(place)
            yield unlink.fact, str(unlink.head), unlink.fact.variable, who_publishes_and_reads(unlink.protection)
    for retired in retirements(code.facts):
        place = (retired.fact.where, str(retired.protection.field))
        if place not in seen:
            seen.add(place)
            yield retired.fact, place[1], retired.old, retired.protection.who_reads()
    for field, pointer in code.facts.pointers.items():
        for store in pointer.of(FactKind.STORE, rcu=True):
            if (store.where, str(field)) not in seen:
                seen.add((store.where, str(field)))
                yield store, str(field), "", pointer.who_reads()
