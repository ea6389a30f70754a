"""read-lock-removed: a patch takes a read-side section away from code that stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.code.contract import held_by_caller
from bot.code.cover import counterpart, moved, uncovered, was_surplus
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.sections import lock_of
from bot.code.vocabulary import READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

DROPPED = Example(
    "the walk stays, the section goes",
    """\
 static bool gadget_known(struct hub *hub, int id)
 {
 	struct gadget *g;
 	bool known = false;
-	rcu_read_lock();
 	list_for_each_entry_rcu(g, &hub->gadgets, node) { // <-- warns
 		if (g->id == id)
 			known = true;
 	}
-	rcu_read_unlock();
 	return known;
 }
""",
)

SHRUNK = Example(
    "the section ends before the table that it protects is reported",
    """\
 static void hub_dump(struct hub *hub)
 {
 	struct gadget *g;
 	rcu_read_lock();
 	g = rcu_dereference(hub->first);
+	rcu_read_unlock();
 	if (g)
 		gadget_report(g); // <-- warns
-	rcu_read_unlock();
 }
""",
)

LOOKUP = Example(
    "a lookup and the use of its result stay, the section around them goes",
    """\
 static int driver_pin(const char *name)
 {
 	struct driver *d;
-	rcu_read_lock();
 	d = driver_find(name); // <-- warns
-	if (d && try_module_get(d->owner)) {
-		rcu_read_unlock();
+	if (d && try_module_get(d->owner))
 		return 0;
-	}
-	rcu_read_unlock();
 	return -ENOENT;
 }
""",
)

NOT_NEEDED = Example(
    "what has to sleep is taken out of the section; the lock was taken twice",
    """\
 static void hub_detach(struct hub *hub)
 {
-	rcu_read_lock();
 	hub_remove_all(hub);
-	rcu_read_unlock();
 }

 static int hub_state(struct hub *hub)
 {
 	int state;
 	rcu_read_lock();
 	prepare(hub);
-	rcu_read_lock();
 	state = rcu_dereference(hub->first)->state;
 	rcu_read_unlock();
 	return state;
 }
""",
)

TAKEN_OVER = Example(
    "a guard, a lock, an assertion or the caller takes the section's place",
    """\
 struct hub { struct mutex lock; struct gadget __rcu *first; };

 static int hub_state(struct hub *hub)
 {
 	int state;
-	rcu_read_lock();
+	guard(rcu)();
 	state = rcu_dereference(hub->first)->state;
-	rcu_read_unlock();
 	return state;
 }

 static int hub_state_held(struct hub *hub)
 {
-	guard(rcu)();
-	return rcu_dereference(hub->first)->state;
+	lockdep_assert_held(&hub->lock);
+	return rcu_dereference_protected(hub->first, lockdep_is_held(&hub->lock))->state;
 }

 static int gadget_state(struct hub *hub)
 {
 	int state;
-	rcu_read_lock();
 	state = rcu_dereference(hub->first)->state;
-	rcu_read_unlock();
 	return state;
 }

 static int hub_both(struct hub *hub)
 {
 	int state;
+	rcu_read_lock();
 	state = gadget_state(hub);
+	rcu_read_unlock();
 	return state;
 }
""",
)

CALLERS_OUT_OF_SIGHT = Example(
    "all callers are readers already, which a file alone does not show",
    """\
 int hub_peek(struct hub *hub)
 {
 	int state;
-	rcu_read_lock();
 	state = rcu_dereference(hub->first)->state; // <-- warns
-	rcu_read_unlock();
 	return state;
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 2",),
    why="""The section was there for what stays: without it, a grace period can end, and the object be freed, while this
    code is using it.""",
    instead="""Keep the section, or show what took its place: an assertion such as RCU_LOCKDEP_WARN() or
    lockdep_assert_held(), a comment on what callers hold, or a reference.""",
    bad=(DROPPED, SHRUNK, LOOKUP),
    good=(NOT_NEEDED, TAKEN_OVER),
    blind_spots=(CALLERS_OUT_OF_SIGHT,),
    replaces=("pointer-used-after-unlock",),
    hunk_proves=True,
)
def read_lock_removed(code: Code) -> Iterator[Hit]:
    """Code that ran inside a read-side section runs outside of any protection now."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        before = counterpart(code.before.facts, function)
        if (
            before is None
            or before.text == function.text
            or not (before.sections or before.flow.has_gap)
            or was_surplus(before, function)
        ):
            continue
        found = uncovered(before, function, elsewhere=moved(code.facts, code.before.facts))
        if found is not None and not held_by_caller(code.facts, function):
            yield _warning(before, function, *found)


def _warning(before: Function, function: Function, number: int, confidence: float) -> Hit:
    step = function.flow.steps[number]
    locks = [s for s in before.flow.steps if (found := lock_of(s)) and found[0].kind in READ_SIDE]
    lost = next((s for s in locks if (found := lock_of(s)) and found[1].takes), locks[0] if locks else step)
    gone = replace(step_evidence(Role.LOCK, before, lost), origin="base", note="covered it before")
    called = step.kind in {StepKind.CALL, StepKind.WALK}
    what = f"{step.name}()" if called else f"what follows {', '.join(sorted(step.uses))}"
    return hit_at(
        function,
        step,
        step.name if called else what,
        f"the section of {lost.name}() no longer covers {what}",
        (gone, step_evidence(Role.USE, function, step)),
        question="What protects it from a grace period now?",
        cure="If nothing does, keep the section; if the callers do, say so with an assertion or a comment.",
        confidence=confidence,
    )
