"""wait-taken-out: a hunk deletes a wait for readers, and shows neither whom it was for nor what takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.code.facts import Fact, FactKind, Function
from bot.code.lost import lost_wait, replaced, still_waits
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule

NOTIFIERS = Example(
    "the last step of a teardown",
    """\
 static void hub_exit_batch(struct list_head *hubs)
 {
 	struct hub *hub;

 	list_for_each_entry(hub, hubs, exit_list)
 		hub_clear_notifiers(hub); // <-- warns
-
-	/* Other CPUs may still run the notifiers. */
-	synchronize_rcu();
 }
""",
    tree=False,
)

ELSEWHERE = Example(
    "the diff brings another way to wait: a hand-over where the object is freed, a completion",
    """\
 static void hub_swap(struct hub *hub)
 {
 	hub_exchange(hub);
-	synchronize_rcu();
 }

 static void hub_drop(struct hub *hub)
 {
-	hub_free(hub);
+	call_rcu(&hub->rcu, hub_free_rcu);
 }
""",
    tree=False,
)

IN_PLACE = Example(
    "another wait stands in the same function, or in a caller of it",
    """\
 static void hub_stop(struct hub *hub)
 {
 	hub_clear_notifiers(hub);
-	synchronize_rcu();
+	call_rcu(&hub->rcu, hub_stopped);
 }

 static void hub_clear(struct hub *hub)
 {
 	hub_forget(hub);
-	synchronize_rcu();
 }

 static void hub_clear_both(struct hub *one, struct hub *two)
 {
 	hub_clear(one);
 	hub_clear(two);
+	synchronize_rcu();
 }
""",
    tree=False,
)

WITH_A_TREE = Example(
    "with the whole file at hand, the other rules look for what the wait was for",
    """\
 static void hub_settle(struct hub *hub)
 {
 	hub_note(hub);
-	synchronize_rcu();
 }
""",
)

NEVER_NEEDED = Example(
    "a wait that was for nobody",
    """\
 static void hub_stop(struct hub *hub)
 {
 	hub_mark_stopped(hub); // <-- warns
-	synchronize_rcu();
 }
""",
    tree=False,
)


@rule(
    level=Level.WARNING,
    confidence=0.5,
    sources=("Documentation/RCU/checklist.rst item 14",),
    why="""A wait for readers is rarely there for nothing, and what it was for is often in another function: the removal
    before it, the free behind it, or a caller that relies on every reader seeing the new state.""",
    instead="""Keep the wait, or say in the changelog which readers it was for and what orders them now.  With a source
    tree the review looks for the removal and the free itself.""",
    bad=(NOTIFIERS,),
    good=(ELSEWHERE, IN_PLACE, WITH_A_TREE),
    blind_spots=(NEVER_NEEDED,),
    hunk_proves=True,
)
def wait_taken_out(code: Code) -> Iterator[Hit]:
    """A diff deletes a wait for readers and shows neither the removal nor the free that it stood between."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        lost = lost_wait(code.facts, code.before.facts, function)
        if lost is None or lost.kind is not FactKind.WAIT or function.image.whole or _told(code, function):
            continue
        if not still_waits(code.facts, code.before.facts, code.lifetime, function) and not replaced(
            code.facts, code.before.facts
        ):
            yield _warning(function, lost)


def _told(code: Code, function: Function) -> bool:
    """Whether the lines show a removal or a free, of which other rules speak."""
    return any(
        fact.kind in {FactKind.FREE, FactKind.UNLINK} or (fact.kind is FactKind.STORE and fact.rcu)
        for fact in code.facts.facts(function)
    )


def _warning(function: Function, lost: Fact) -> Hit:
    place = lost.where.flow.steps[lost.step].line
    seen = [step for step in function.flow.steps if step.code]
    near = min(seen, key=lambda step: abs(step.line - place), default=function.flow.steps[0])
    return hit_at(
        function,
        near,
        lost.name,
        f"{lost.name}() is taken out, and nothing in the diff waits in its place",
        (replace(lost.evidence(Role.WAIT, "taken out"), origin="base"),),
        question="Which readers was it for, and what waits for them now?",
        cure="If nothing does, keep it.",
    )
