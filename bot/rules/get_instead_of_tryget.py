"""get-instead-of-tryget: a reference is taken on an object whose last one may have been dropped already."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import FactKind, Function
from bot.code.inside import opened
from bot.code.last_put import counted_by, unlinked_last
from bot.code.structs import Key
from bot.code.vocabulary import MUTEX, RCU, RCU_BH, RWLOCK, RWSEM, SEQ, SPIN
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_GET = re.compile(r"kref_get|refcount_inc|atomic_inc")
_FIND = re.compile(
    r"xa_load|idr_find|radix_tree_lookup|rhashtable_lookup(?:_fast)?|rcu_dereference|list_first_or_null_rcu"
)
_LOCKS = frozenset({MUTEX, RWLOCK, RWSEM, SEQ, SPIN})

LOOKUP = Example(
    "the last put erases the object, and the lookup does not see that it happened",
    """\
 struct gadget { struct kref ref; int id; struct rcu_head rcu; };
 struct hub { struct xarray gadgets; };

 static struct gadget *gadget_get(struct hub *hub, int id)
 {
 	struct gadget *g;

 	rcu_read_lock();
 	g = xa_load(&hub->gadgets, id);
-	if (g && !kref_get_unless_zero(&g->ref))
-		g = NULL;
+	if (g)
+		kref_get(&g->ref); // <-- warns
 	rcu_read_unlock();
 	return g;
 }

 static void gadget_release(struct kref *ref)
 {
 	struct gadget *g = container_of(ref, struct gadget, ref);

 	xa_erase(&g->hub->gadgets, g->id);
 	kfree_rcu(g, rcu);
 }

 static void gadget_put(struct gadget *g)
 {
 	kref_put(&g->ref, gadget_release);
 }
""",
)

WALK = Example(
    "a list walk, and the object leaves the list when its count is nought",
    """\
 struct gadget { struct list_head node; refcount_t users; int id; struct rcu_head rcu; };

 static struct gadget *gadget_find(struct hub *hub, int id)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node) {
 		if (g->id == id) {
+			refcount_inc(&g->users); // <-- warns
 			return g;
 		}
 	}
 	return NULL;
 }

 static void gadget_put(struct hub *hub, struct gadget *g)
 {
 	if (refcount_dec_and_test(&g->users)) {
 		spin_lock(&hub->lock);
 		list_del_rcu(&g->node);
 		spin_unlock(&hub->lock);
 		kfree_rcu(g, rcu);
 	}
 }
""",
)

COUNTED = Example(
    "the list holds a reference, dropped a grace period after the unlink; a lock; a try",
    """\
 struct gadget { struct list_head node; refcount_t users; struct kref ref; int id; };

+static struct gadget *gadget_find(struct hub *hub, int id)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		if (g->id == id)
+			refcount_inc(&g->users);
+	}
+	rcu_read_unlock();
+
+	rcu_read_lock();
+	spin_lock(&hub->lock);
+	g = xa_load(&hub->table, id);
+	if (g)
+		kref_get(&g->ref);
+	spin_unlock(&hub->lock);
+	rcu_read_unlock();
+
+	rcu_read_lock();
+	g = xa_load(&hub->table, id);
+	if (g && !kref_get_unless_zero(&g->ref))
+		g = NULL;
+	rcu_read_unlock();
+	return g;
+}
+
+static void gadget_remove(struct hub *hub, struct gadget *g)
+{
+	spin_lock(&hub->lock);
+	list_del_rcu(&g->node);
+	spin_unlock(&hub->lock);
+	synchronize_rcu();
+	if (refcount_dec_and_test(&g->users))
+		kfree(g);
+}
""",
)

PUT_ELSEWHERE = Example(
    "the put is in a file that is not in sight",
    """\
+static struct gadget *gadget_get(struct hub *hub, int id)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	g = xa_load(&hub->gadgets, id);
+	if (g)
+		kref_get(&g->ref);
+	rcu_read_unlock();
+	return g;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/rcuref.rst", "Documentation/core-api/kref.rst"),
    why="""RCU keeps the memory, not the object: between the last put and the removal, a lookup still finds it.  To
    count up from nought is to use an object that is being freed.""",
    instead="Use kref_get_unless_zero() or refcount_inc_not_zero(), and treat a failure as not found.",
    bad=(LOOKUP, WALK),
    good=(COUNTED,),
    blind_spots=(PUT_ELSEWHERE,),
)
def get_instead_of_tryget(code: Code) -> Iterator[Hit]:
    """A plain get on what an RCU lookup found, where the object leaves the structure only after its last put."""
    gets = [found for function in code.facts.in_focus for found in _gets(code, function)]
    if not gets:
        return
    ends = {key: evidence for function in code.facts.functions for key, evidence in unlinked_last(code.facts, function)}
    for function, number, key in gets:
        removal = ends.get(key)
        opener = opened(code.facts, function, number, (RCU, RCU_BH)) if removal else None
        if removal and opener and not held_by_caller(code.facts, function):
            yield _warning(function, number, opener[1], key, removal)


def _gets(code: Code, function: Function) -> Iterator[tuple[Function, int, Key]]:
    """The gets on what a lookup of the same function found, with no lock that could keep the object alive."""
    found = {step.target for step in function.flow.steps if step.target and _FIND.fullmatch(step.name)}
    found |= {fact.variable for fact in code.facts.facts(function) if fact.kind is FactKind.WALK and fact.rcu}
    for number, step in enumerate(function.flow.steps):
        counted = counted_by(code.facts, function, step) if _GET.fullmatch(step.name) else None
        if counted and counted[0] in found and not function.held[number].ever(_LOCKS):
            yield function, number, counted[1]


def _warning(function: Function, number: int, lock: int, key: Key, removal: Evidence) -> Hit:
    step = function.flow.steps[number]
    return hit_at(
        function,
        step,
        str(key),
        f"{step.name}() on {key} of an object whose last reference may be gone",
        (
            step_evidence(Role.LOCK, function, function.flow.steps[lock]),
            step_evidence(Role.USE, function, step),
            removal,
        ),
        question="Does anything keep the count above nought while the object can be found?",
        cure="If not: kref_get_unless_zero() or refcount_inc_not_zero().",
    )
