"""unlock-relock-inside-iteration: a walk goes on from an entry that its section does not protect any more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.reads import keeps, takes_anew
from bot.code.sections import Lock, lock_of
from bot.code.vocabulary import LOCK_CALLS, READ_SIDE, WALKS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_KEPT = re.compile(r"(?:^|_)(?:(?:try)?get|hold|pin|grab|ref|park|freeze|(?:try)?lock)(?:_|$)", re.IGNORECASE)

SLEEPS = Example(
    "the section is left for a call that sleeps, and the walk goes on",
    """\
 static void hub_update(struct hub *hub)
 {
 	struct gadget *g;
 	int id;

 	rcu_read_lock();
 	list_for_each_entry_rcu(g, &hub->gadgets, node) {
 		id = g->id;
+		rcu_read_unlock(); // <-- warns
+		gadget_settle(id);
+		rcu_read_lock();
 	}
 	rcu_read_unlock();
 }
""",
)

KEPT = Example(
    "a reference is taken first; the walk ends; another lock is held",
    """\
+static void hub_update(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		if (!gadget_tryget(g))
+			continue;
+		rcu_read_unlock();
+		gadget_settle(g);
+		rcu_read_lock();
+		gadget_put(g);
+	}
+	rcu_read_unlock();
+}
+
+static void hub_update_first(struct hub *hub)
+{
+	struct gadget *g;
+	int id;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		id = g->id;
+		rcu_read_unlock();
+		gadget_settle(id);
+		return;
+	}
+	rcu_read_unlock();
+}
+
+static void hub_update_all(struct hub *hub)
+{
+	struct gadget *g;
+
+	mutex_lock(&hub->lock);
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		rcu_read_unlock();
+		gadget_settle(id);
+		rcu_read_lock();
+	}
+	rcu_read_unlock();
+	mutex_unlock(&hub->lock);
+}
""",
)

NEVER_FREED = Example(
    "a list that entries are only added to",
    """\
+static void hub_update(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->builtin, node) {
+		rcu_read_unlock(); // <-- warns
+		cond_resched();
+		rcu_read_lock();
+	}
+	rcu_read_unlock();
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("Documentation/RCU/rcu_dereference.rst", "Documentation/RCU/checklist.rst item 2"),
    why="""The iterator takes its next entry from the one that it stands on.  Between the unlock and the next lock that
    entry may be unlinked and freed.""",
    instead="Take a reference to the entry first, copy what is needed and begin anew, or use SRCU.",
    bad=(SLEEPS,),
    good=(KEPT,),
    blind_spots=(NEVER_FREED,),
    hunk_proves=True,
)
def unlock_relock_inside_iteration(code: Code) -> Iterator[Hit]:
    """A section is left and taken again in the body of a walk, which goes on from the same entry."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            call = WALKS.get(step.name) if step.kind is StepKind.WALK else None
            if call is None or not call.rcu or call.cursor is None or call.cursor >= len(step.args):
                continue
            pair = _left_and_taken(function, number, step.args[call.cursor])
            if pair is not None:
                yield _warning(function, step, *pair)


def _left_and_taken(function: Function, walk: int, cursor: str) -> tuple[Step, Step] | None:
    """The unlock in a walk's body, nothing else being held, and the lock that is taken before the next turn."""
    flow = function.flow
    held = function.held[walk].always(READ_SIDE)
    if len(held) != 1 or any(lock != held[0] for state in function.held[walk].states for lock, _ in state):
        return None
    body = _body(function, walk)
    if any(_keeps_it(flow.steps[number], cursor) for number in body):
        return None
    for number in sorted(body):
        if not _is(flow.steps[number], held[0], takes=False):
            continue
        for later in flow.after(number, lambda step: takes_anew(step, cursor)):
            if later in body and _is(flow.steps[later], held[0], takes=True):
                return flow.steps[number], flow.steps[later]
    return None


def _body(function: Function, walk: int) -> set[int]:
    """The steps between one turn of a walk and the next."""
    flow = function.flow
    if len(flow.next[walk]) != 2:
        return set()
    first, out = flow.next[walk]

    def turns(step: Step) -> bool:
        return step is flow.steps[walk]

    outside = {out, *flow.after(out, turns), *flow.after(0, turns)}  # what begins the walk anew too
    inside = {first, *flow.after(first, turns)} - outside
    return inside & set(flow.before(walk, turns))


def _keeps_it(step: Step, cursor: str) -> bool:
    """Whether a step may take a reference to the entry or to what belongs to it, or keep it in place."""
    helper = step.kind is StepKind.CALL and step.name not in LOCK_CALLS and _KEPT.search(step.name)
    return keeps(step, cursor) or bool(helper)


def _is(step: Step, lock: Lock, *, takes: bool) -> bool:
    found = lock_of(step)
    return found is not None and found[0] == lock and found[1].takes is takes


def _warning(function: Function, walk: Step, unlock: Step, lock: Step) -> Hit:
    return hit_at(
        function,
        unlock,
        walk.name,
        f"{walk.name}() goes on from an entry that {unlock.name}() gave up",
        (
            step_evidence(Role.READER, function, walk),
            step_evidence(Role.UNLOCK, function, unlock),
            step_evidence(Role.LOCK, function, lock),
        ),
        question="What keeps the entry on the list between the two?",
        cure="If nothing does: take a reference to it first, or begin the walk anew.",
    )
