"""refcount-release-frees-directly: the last put frees what an RCU lookup may be trying to count up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.last_put import counted_by, freed_last, unlinked_last
from bot.code.reads import loads
from bot.code.structs import Key
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, rule, step_evidence

_TRYGET = re.compile(r"kref_get_unless_zero|refcount_inc_not_zero|atomic(?:_long)?_inc_not_zero")
_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN)

LOOKUP = Example(
    "the release erases and frees, while a lookup still holds the pointer",
    """\
 struct gadget { struct kref ref; int id; struct hub *hub; };
 struct hub { struct xarray gadgets; };

 static struct gadget *gadget_get(struct hub *hub, int id)
 {
 	struct gadget *g;

 	rcu_read_lock();
 	g = xa_load(&hub->gadgets, id);
 	if (g && !kref_get_unless_zero(&g->ref))
 		g = NULL;
 	rcu_read_unlock();
 	return g;
 }

+static void gadget_release(struct kref *ref)
+{
+	struct gadget *g = container_of(ref, struct gadget, ref);
+
+	xa_erase(&g->hub->gadgets, g->id);
+	kfree(g); // <-- warns
+}
+
+static void gadget_put(struct gadget *g)
+{
+	kref_put(&g->ref, gadget_release);
+}
""",
)

DEFERRED = Example(
    "kfree_rcu() in the release; a lookup under the lock; a removal that waits before its put",
    """\
 struct gadget { struct kref ref; int id; struct hub *hub; struct rcu_head rcu; };
 struct stone { refcount_t users; int id; };
 struct brick { refcount_t users; int id; };
 struct hub { spinlock_t lock; struct xarray gadgets; struct xarray stones; struct xarray bricks; };

+static void hub_get(struct hub *hub, int id)
+{
+	struct gadget *g;
+	struct stone *s;
+	struct brick *b;
+
+	rcu_read_lock();
+	g = xa_load(&hub->gadgets, id);
+	if (g)
+		use(kref_get_unless_zero(&g->ref));
+	b = xa_load(&hub->bricks, id);
+	if (b)
+		use(refcount_inc_not_zero(&b->users));
+	spin_lock(&hub->lock);
+	s = xa_load(&hub->stones, id);
+	if (s)
+		use(refcount_inc_not_zero(&s->users));
+	spin_unlock(&hub->lock);
+	rcu_read_unlock();
+}
+
 static void gadget_release(struct kref *ref)
 {
 	struct gadget *g = container_of(ref, struct gadget, ref);

 	xa_erase(&g->hub->gadgets, g->id);
 	kfree_rcu(g, rcu);
 }

+static void hub_put(struct hub *hub, struct gadget *g, struct stone *s, struct brick *b)
+{
+	kref_put(&g->ref, gadget_release);
+	if (refcount_dec_and_test(&s->users)) {
+		xa_erase(&hub->stones, s->id);
+		kfree(s);
+	}
+}
+
+static void brick_drop(struct hub *hub, struct brick *b)
+{
+	xa_erase(&hub->bricks, b->id);
+	synchronize_rcu();
+	if (refcount_dec_and_test(&b->users))
+		kfree(b);
+}
""",
)

ELSEWHERE = Example(
    "the object is erased by another function, which puts at once",
    """\
 struct gadget { refcount_t users; int id; };
 struct hub { struct xarray gadgets; };

 static bool gadget_get(struct hub *hub, int id)
 {
 	struct gadget *g;

 	guard(rcu)();
 	g = xa_load(&hub->gadgets, id);
 	return g && refcount_inc_not_zero(&g->users);
 }

 static void gadget_put(struct gadget *g)
 {
 	if (refcount_dec_and_test(&g->users))
+		kfree(g);
 }

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	xa_erase(&hub->gadgets, g->id);
 	gadget_put(g);
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("Documentation/RCU/rcuref.rst",),
    why="""A reader may have found the object just before the last put.  Its try to count up fails, but reads memory
    that is freed already.""",
    instead="kfree_rcu() in the release, or look the object up under the lock that the last put takes.",
    bad=(LOOKUP,),
    good=(DEFERRED,),
    blind_spots=(ELSEWHERE,),
)
def refcount_release_frees_directly(code: Code) -> Iterator[Hit]:
    """The last put erases and frees an object at once that RCU lookups try to take a reference on."""
    # An xarray or an IDR ties the two together by no key of the focus, so neither of them is looked for there.
    lookups = {key: seen for function in code.facts.functions for key, seen in _lookups(code, function)}
    for function in code.facts.functions if lookups else ():
        erased = dict(unlinked_last(code.facts, function))
        for key, freed in freed_last(code.facts, function):
            if key in lookups and key in erased:
                yield hit(
                    freed,
                    str(key),
                    f"{freed.name}() at the last put of {key}, which RCU lookups try to count up",
                    (lookups[key], erased[key], freed.evidence(Role.FREE)),
                    question="Can a lookup have found the object just before the last put?",
                    cure="If so: kfree_rcu().",
                )


def _lookups(code: Code, function: Function) -> Iterator[tuple[Key, Evidence]]:
    """The counts that are tried for on what an RCU lookup of the function found, with no lock held."""
    if not _TRYGET.search(function.text):
        return
    tries = [number for number, step in enumerate(function.flow.steps) if _TRYGET.fullmatch(step.name)]
    found = {variable for _, variable in loads(function)} if tries else set()
    for number in tries:
        step, held = function.flow.steps[number], function.held[number]
        counted = counted_by(code.facts, function, step) if step.kind is StepKind.CALL else None
        if counted is None or counted[0] not in found or not held.reading or held.ever(_LOCKS):
            continue
        if not held_by_caller(code.facts, function, frozenset(_LOCKS)):
            yield counted[1], step_evidence(Role.READER, function, step)
