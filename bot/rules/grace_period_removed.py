"""grace-period-removed: a patch takes out the wait between a removal and a free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.facts import Fact, FactKind, Function
from bot.code.removal import retirements, unlinks
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, free_without_wait, hit, rule, who_publishes_and_reads

_BASE = re.compile(r"&?\(?(\w+)")

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

NO_REMOVAL_IN_SIGHT = Example(
    "the object is freed at once where it was handed to RCU before",
    """\
 struct port { struct rcu_head rcu; };

 static void port_release(struct port *p)
 {
 	port_stop(p);
-	kfree_rcu(p, rcu);
+	kfree(p); // <-- warns
 }
""",
)

NEVER_SEEN = Example(
    "an error path before publication does not need the hand-over",
    """\
 struct port { struct rcu_head rcu; };

 static int port_make(void)
 {
 	struct port *p = kzalloc(sizeof(*p), GFP_KERNEL);

 	if (port_setup(p)) {
-		kfree_rcu(p, rcu);
+		kfree(p);
 		return -EINVAL;
 	}
 	return port_publish(p);
 }
""",
)

DEFERRED = Example(
    "the wait is replaced by a deferred free",
    """\
 struct port { struct list_head node; struct rcu_head rcu; };

 static void port_remove(struct port *p)
 {
 	list_del_rcu(&p->node);
-	synchronize_rcu();
-	kfree(p);
+	kfree_rcu(p, rcu);
 }
""",
)

HURRIED = Example(
    "one hand-over becomes another, which this patch brings along",
    """\
 struct port { struct list_head node; struct rcu_head rcu; };

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
    why="""The wait is what kept the object alive for the readers that had found it.  It may also be what told the
    caller that every reader sees the new state.""",
    instead="""Keep the wait, or replace it: call_rcu(), kfree_rcu(), one synchronize_rcu() for many removals.  Where it
    was not needed, the changelog says what orders the readers now.""",
    bad=(DELETED, AT_ONCE, OUT_OF_SIGHT, NO_REMOVAL_IN_SIGHT),
    good=(NEVER_SEEN, DEFERRED, HURRIED, MOVED, NO_READERS_LEFT),
    blind_spots=(CALLER_WAITED,),
    replaces=("free-without-grace-period",),
    hunk_proves=True,
)
def grace_period_removed(code: Code) -> Iterator[Hit]:
    """A wait for readers that stood behind a removal is gone."""
    if code.before is None:
        return
    said: set[tuple[str, str]] = set()
    for removal, subject, variable, shown in _removals(code):
        lost = _lost_wait(code, removal.where)
        if lost is None or code.lifetime.excuse(removal.where, removal):
            continue
        freed = next(code.lifetime.freed(removal.where, removal.step, variable), None) if variable else None
        if freed is None and _still_waits(code, removal.where):
            continue
        said.add((removal.path, removal.function))
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
    yield from (found for found in _freed_at_once(code) if (found.path, found.function) not in said)


def _freed_at_once(code: Code) -> Iterator[Hit]:
    """Frees that a hand-over to RCU, or a wait, came before: the removal itself may be anywhere."""
    for function in code.facts.in_focus:
        lost = _lost_wait(code, function)
        if lost is None or _still_waits(code, function) or _no_rcu_list_now(code, lost.where):
            continue
        for fact in code.facts.facts(function):
            named = lost.kind is FactKind.DEFER and _base(fact.variable) == _base(lost.variable)
            if fact.kind is not FactKind.FREE or not (named or lost.kind is FactKind.WAIT):
                continue
            if code.lifetime.private(function, fact) or code.lifetime.stated(function, fact):
                continue
            gone = lost.evidence(Role.WAIT, "taken out")
            yield hit(
                fact,
                fact.variable,
                f"{fact.name}() frees {fact.variable}, which {lost.name}() let readers finish with",
                (replace(gone, origin="base"), fact.evidence(Role.FREE)),
                question=f"Can a reader still hold {fact.variable}?",
                cure="If so, keep the wait, or free with kfree_rcu() or call_rcu().",
                confidence=0.7 if named else 0.5,
            )
            break


def _no_rcu_list_now(code: Code, before: Function) -> bool:
    """Whether what the function took off RCU lists is on no RCU list any more."""
    if code.before is None:
        return False
    removed = [fact for fact in code.before.facts.facts(before) if fact.kind is FactKind.UNLINK and fact.rcu]
    now = [code.facts.lists.get(fact.node) for fact in removed]
    return bool(removed) and not any(found and any(fact.rcu for fact in found.facts) for found in now)


def _base(variable: str) -> str:
    found = _BASE.match(variable)
    return found[1] if found else variable


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


def _lost_wait(code: Code, function: Function) -> Fact | None:
    """A wait or hand-over that the function had before and has not now, None when there are as many as before."""
    before = _waits(code.before, function.path, function.name)
    now = _waits(code, function.path, function.name)
    if len(now) >= len(before):
        return None
    left = [fact.name for fact in now]
    for fact in before:
        if fact.name not in left:
            return fact
        left.remove(fact.name)
    return None


def _waits(code: Code | None, path: str, name: str) -> list[Fact]:
    if code is None:
        return []
    return [
        fact
        for function in code.facts.by_name.get(name, ())
        if function.path == path
        for fact in code.facts.facts(function)
        if fact.kind in {FactKind.WAIT, FactKind.DEFER}
    ]


def _still_waits(code: Code, function: Function) -> bool:
    """Whether the function, or a caller that did not before, still waits or hands over."""
    if code.lifetime.waits(function) or _waits(code, function.path, function.name):
        return True
    return any(
        len(_waits(code, caller.path, caller.name)) > len(_waits(code.before, caller.path, caller.name))
        for caller, _ in code.facts.callers(function)
    )
