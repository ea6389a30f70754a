"""synchronize-in-own-reader: a wait for all RCU readers, by one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened, surely_meets
from bot.code.sections import lock_of
from bot.code.vocabulary import RCU, RCU_BH, RCU_SCHED
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_WAITED_FOR = (RCU, RCU_BH, RCU_SCHED)  # one grace period waits for all three
_WAIT = re.compile(r"synchronize_(?:rcu(?:_expedited|_mult|_bh)?|net|sched(?:_expedited)?)|rcu_barrier|wait_rcu_gp")

DIRECT = Example(
    "the wait comes before the unlock",
    """\
 static void gadget_remove(struct hub *hub, struct gadget *g)
 {
 	rcu_read_lock();
 	if (gadget_known(hub, g)) {
 		list_del_rcu(&g->node);
+		synchronize_rcu(); // <-- warns
 		kfree(g);
 	}
 	rcu_read_unlock();
 }
""",
)

GUARDED = Example(
    "a guard lasts to the end of the function",
    """\
 static void hub_swap(struct hub *hub, struct gadget *next)
 {
 	struct gadget *old;

+	guard(rcu)();
 	old = rcu_replace_pointer(hub->first, next, true);
 	synchronize_rcu_expedited(); // <-- warns
 	kfree(old);
 }
""",
)

CALLEE = Example(
    "the callee waits",
    """\
 static void gadget_retire(struct gadget *g)
 {
 	list_del_rcu(&g->node);
 	synchronize_rcu();
 	kfree(g);
 }

 static void hub_trim(struct hub *hub)
 {
 	struct gadget *g;

 	rcu_read_lock();
 	g = list_first_or_null_rcu(&hub->gadgets, struct gadget, node);
 	if (g)
-		gadget_report(g);
+		gadget_retire(g); // <-- warns
 	rcu_read_unlock();
 }
""",
)

ELSEWHERE = Example(
    "another domain, a callback, and a wait behind the unlock",
    """\
+static void gadget_drop(struct hub *hub, struct gadget *g)
+{
+	int idx;
+
+	rcu_read_lock();
+	list_del_rcu(&g->node);
+	call_rcu(&g->rcu, gadget_free_rcu);
+	rcu_read_unlock();
+	synchronize_rcu();
+
+	idx = srcu_read_lock(&hub->srcu);
+	hub_poke(hub);
+	synchronize_rcu();
+	srcu_read_unlock(&hub->srcu, idx);
+
+	scoped_guard(rcu)
+		hub_poke(hub);
+	synchronize_rcu();
+}
""",
)

CALLER = Example(
    "the section is the caller's, in a file that is not in sight",
    """\
+void gadget_retire_all(struct hub *hub)
+{
+	hub_empty(hub);
+	synchronize_rcu();
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.95,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/RCU/whatisRCU.rst synchronize_rcu()"),
    why="""synchronize_rcu() returns when every reader that it finds has left its section.  A reader that calls it waits
    for itself: a deadlock, or, where readers can be preempted unnoticed, a grace period that ends too early.""",
    instead="Leave the section first, or hand the object to call_rcu() or kfree_rcu().",
    bad=(DIRECT, GUARDED, CALLEE),
    good=(ELSEWHERE,),
    blind_spots=(CALLER,),
    replaces=("sleep-in-reader",),
    hunk_proves=True,
)
def synchronize_in_own_reader(code: Code) -> Iterator[Hit]:
    """A wait for an RCU grace period inside an RCU read-side critical section."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or not function.held[number].always(_WAITED_FOR):
                continue
            waits = (function, number) if _waits(function, number) else None
            waits = waits or surely_meets(code.facts, function, step, _waits, _leaves)
            found = opened(code.facts, function, number, _WAITED_FOR) if waits else None
            if waits and found:
                yield _warning(function, number, found[1], waits)


def _waits(function: Function, number: int) -> bool:
    step = function.flow.steps[number]
    return step.kind is StepKind.CALL and _WAIT.fullmatch(step.name) is not None


def _leaves(step: Step) -> bool:
    found = lock_of(step)
    return found is not None and found[0].kind in _WAITED_FOR and not found[1].takes


def _warning(function: Function, number: int, lock: int, waits: tuple[Function, int]) -> Hit:
    step, waiter = function.flow.steps[number], waits[0].flow.steps[waits[1]]
    direct = waits[0] is function
    evidence = [step_evidence(Role.LOCK, function, function.flow.steps[lock])]
    if not direct:
        evidence.append(step_evidence(Role.USE, function, step))
    evidence.append(step_evidence(Role.WAIT, *_placed(waits)))
    text = f"{waiter.name}() waits for the section that calls it"
    return hit_at(
        function,
        step,
        step.name,
        text if direct else f"{step.name}() reaches {waiter.name}() inside an RCU read-side section",
        tuple(evidence),
        question="" if direct else "Is the section left on the way to the wait?",
        cure="Wait after the unlock, or use call_rcu().",
        confidence=None if direct else 0.8,
    )


def _placed(place: tuple[Function, int]) -> tuple[Function, Step]:
    return place[0], place[0].flow.steps[place[1]]
