"""read-lock-removed: a patch takes a read-side section away from code that stays."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.sections import lock_of
from bot.code.spelling import tight
from bot.code.vocabulary import LOOKUPS, READ_SIDE, READS, UPDATER_READS, WALKS
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_UPDATES = re.compile(
    r"(?:^|_)(?:remove|destroy|unregister|register|free|kfree|put|del|delete|detach|attach|flush|cancel|alloc|init|exit|"
    r"add|insert|set|clear|update|release|drop|lock|unlock|sync|synchronize|wait|sleep|schedule|wake|trace|pr|dev|warn|"
    r"WARN|BUG|printk|debug|dbg|err|info|min|max|likely|unlikely|IS|READ|WRITE|PTR|ERR|test|smp|atomic|memset|memcpy|"
    r"disable|enable|begin|end)(?:_|$)"
)

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

SLEEPS_NOW = Example(
    "what has to sleep is taken out of the section",
    """\
 static void hub_detach(struct hub *hub)
 {
-	rcu_read_lock();
 	hub_remove_all(hub);
-	rcu_read_unlock();
 }
""",
)

ONE_TOO_MANY = Example(
    "the lock was taken twice",
    """\
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
-	int state;
-
-	rcu_read_lock();
+	lockdep_assert_held(&hub->lock);
-	state = rcu_dereference(hub->first)->state;
-	rcu_read_unlock();
-	return state;
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
    good=(SLEEPS_NOW, ONE_TOO_MANY, TAKEN_OVER),
    blind_spots=(CALLERS_OUT_OF_SIGHT,),
    replaces=("pointer-used-after-unlock",),
    hunk_proves=True,
)
def read_lock_removed(code: Code) -> Iterator[Hit]:
    """Code that ran inside a read-side section runs outside of any protection now."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        before = _before(code.before, function)
        if before is None or before.text == function.text or _was_surplus(before, function):
            continue
        found = _uncovered(before, function, moved=_moved(code, code.before))
        if found is not None and not held_by_caller(code.facts, function):
            yield _warning(before, function, *found)


def _before(code: Code, function: Function) -> Function | None:
    same = (other for other in code.facts.by_name.get(function.name, ()) if other.path == function.path)
    return next(same, None)


def _was_surplus(before: Function, after: Function) -> bool:
    """Whether locks went without their unlocks: then there was one too many."""

    def calls(function: Function, *, takes: bool) -> int:
        found = (lock_of(step) for step in function.flow.steps if not step.name.startswith("guard"))
        return sum(lock is not None and lock[0].kind in READ_SIDE and lock[1].takes is takes for lock in found)

    fewer = calls(before, takes=True) - calls(after, takes=True)
    return fewer > 0 and calls(before, takes=False) <= calls(after, takes=False)


def _moved(code: Code, before: Code) -> bool:
    """Whether sections appear elsewhere: the callers, or a callback's, may have taken over."""
    return any(
        (old := _before(before, function)) is None or _sections(old) < _sections(function)
        for function in code.facts.in_focus
        if _sections(function)
    )


def _sections(function: Function) -> int:
    return sum(
        (found := lock_of(step)) is not None and found[0].kind in READ_SIDE and found[1].takes
        for step in function.flow.steps
    )


def _uncovered(before: Function, after: Function, *, moved: bool) -> tuple[int, float] | None:
    """The step that lost its section, with the confidence; what RCU is asked for by name comes first."""
    covered = {_place(step) for number, step in enumerate(before.flow.steps) if before.held[number].always(READ_SIDE)}
    open_before = {_place(step) for number, step in enumerate(before.flow.steps) if not _protected(before, number)}
    vanished = not _sections(after) and before.signature == after.signature
    loaded = _loaded(before)
    best: tuple[int, float] | None = None
    for number, step in enumerate(after.flow.steps):
        if _place(step) not in covered - open_before or not after.held[number].states or _protected(after, number):
            continue
        if _reads(step):
            return number, 0.7
        passed = loaded & (step.uses | frozenset(arg.lstrip("&*") for arg in step.args))
        weight = 0.65 if passed else 0.5 if vanished and not moved and _looks_up(step) else 0.0
        if weight > (best[1] if best else 0.0):
            best = number, weight
    return best


def _place(step: Step) -> tuple[StepKind, str, tuple[str, ...]]:
    return step.kind, step.name, step.args or (tight(step.code),)


def _looks_up(step: Step) -> bool:
    """Whether a call may read what the section protected: it does not change, make or end anything by its name."""
    if step.kind is not StepKind.CALL or not step.name.isidentifier() or step.name.isupper():
        return False
    return not _UPDATES.search(step.name)


def _protected(function: Function, number: int) -> bool:
    """Whether any way to a step holds anything: a lock may do what the section did."""
    return any(count > 0 for state in function.held[number].states for _, count in state)


def _reads(step: Step) -> bool:
    if step.kind is StepKind.WALK:
        return step.name in WALKS and WALKS[step.name].rcu
    if step.kind is not StepKind.CALL or step.name in UPDATER_READS - READS.keys():
        return False
    return step.name in READS or step.name in LOOKUPS or (step.name in WALKS and WALKS[step.name].rcu)


def _loaded(function: Function) -> frozenset[str]:
    """The variables that reads of the function fill."""
    found = {step.target for step in function.flow.steps if step.target and _reads(step)}
    walks = (step for step in function.flow.steps if step.kind is StepKind.WALK and _reads(step))
    found.update(step.args[WALKS[step.name].cursor or 0] for step in walks if step.args)
    return frozenset(found)


def _warning(before: Function, function: Function, number: int, confidence: float) -> Hit:
    step = function.flow.steps[number]
    lost = next(
        (s for s in before.flow.steps if (found := lock_of(s)) and found[1].takes and found[0].kind in READ_SIDE), step
    )
    gone = step_evidence(Role.LOCK, before, lost)
    evidence = (
        Evidence(gone.role, gone.path, gone.function, gone.line, gone.code, "base", "covered it before"),
        step_evidence(Role.USE, function, step),
    )
    return hit_at(
        function,
        step,
        step.name or function.name,
        f"{lost.name}() no longer covers {step.name or step.code}{'()' if step.kind is StepKind.CALL else ''}",
        evidence,
        question="What protects it from a grace period now?",
        cure="If nothing does, keep the section; if the callers do, say so with an assertion or a comment.",
        confidence=confidence,
    )
