"""read-lock-on-one-side: a patch adds a lock without its unlock, or takes the unlocks away and leaves the lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.balance import sections_entered, unbalanced_exit
from bot.code.cover import counterpart
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.sections import lock_of
from bot.code.vocabulary import LOCK_CALLS, READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_ENTERS = re.compile(r"lock|begin|enter|start|hold|acquire|get", re.IGNORECASE)
_LEAVES = re.compile(r"unlock|end|exit|leave|stop|drop|release|put|out", re.IGNORECASE)

IN_LOOP = Example(
    "a second lock inside the loop; the loop's end and the unlock are out of sight",
    """\
 static void hub_kick(struct hub *hub)
 {
 	for_each_online_cpu(cpu) {
 		if (cpu == this_cpu)
 			continue;
+		rcu_read_lock(); // <-- warns
 		g = rcu_dereference(per_cpu(gadgets, cpu));
 		if (g && g->hub == hub)
 			kick(cpu);
""",
    tree=False,
)

UNLOCK_LOST = Example(
    "the unlock goes, the lock stays",
    """\
 static int hub_state(struct hub *hub)
 {
 	int state;

 	rcu_read_lock(); // <-- warns
 	state = rcu_dereference(hub->first)->state;
-	rcu_read_unlock();
+	trace_state(state);
 	return state;
 }
""",
)

PAIRED = Example(
    "both sides change; a half whose other half is made too",
    """\
 static int hub_state(struct hub *hub)
 {
 	int state;

+	rcu_read_lock();
 	state = read_state(hub);
+	rcu_read_unlock();
 	return state;
 }

 static void *hub_start(struct hub *hub, loff_t *pos)
 {
+	rcu_read_lock();
 	return hub_at(hub, *pos);
 }

 static void hub_stop(struct hub *hub)
 {
+	rcu_read_unlock();
 }
""",
)

OUT_OF_SIGHT = Example(
    "a half whose other half was there before, and was the bug",
    """\
 static void *hub_start(struct hub *hub, loff_t *pos)
 {
+	rcu_read_lock(); // <-- warns
 	return hub_at(hub, *pos);
 }

 static void hub_stop(struct hub *hub)
 {
 	rcu_read_unlock();
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 2", "Documentation/RCU/whatisRCU.rst rcu_read_lock()"),
    why="Locks and unlocks come in pairs: with one side changed alone a section stays open, and no grace period ends.",
    instead="Change both sides, or let guard(rcu)() hold the section.",
    bad=(IN_LOOP, UNLOCK_LOST),
    good=(PAIRED,),
    blind_spots=(OUT_OF_SIGHT,),
    hunk_proves=True,
)
def read_lock_on_one_side(code: Code) -> Iterator[Hit]:
    """A read lock comes without its unlock, or the unlocks go and the lock stays."""
    if code.before is None:
        return
    for kind in sorted(READ_SIDE):
        came = _total(code.facts, kind, takes=True) - _total(code.before.facts, kind, takes=True)
        left = _total(code.facts, kind, takes=False) - _total(code.before.facts, kind, takes=False)
        if (came > 0) is (left < 0):
            continue  # nothing, or a lock for an unlock
        for function in code.facts.in_focus:
            before = counterpart(code.before.facts, function)
            if before is None or before.text == function.text or (came and left) or not function.clean:
                continue
            step = _lone_lock(before, function, kind) if came else _lock_left_over(before, function, kind)
            if step is not None:
                yield _warning(before, function, step, added=came > 0)


def _total(code: WorldFacts, kind: str, *, takes: bool) -> int:
    return sum(len(_calls(function, kind, takes=takes)) for function in code.in_focus)


def _calls(function: Function, kind: str, *, takes: bool) -> list[int]:
    """The steps that take, or drop, a section of a kind; guards see to themselves."""
    return [
        number
        for number, lock, call in function.locks
        if lock.kind == kind and call.takes is takes and "guard" not in function.flow.steps[number].name
    ]


def _lone_lock(before: Function, after: Function, kind: str) -> Step | None:
    """The lock that came alone, None where it ends an imbalance, or takes the place of a call that may have locked."""
    took, takes = _calls(before, kind, takes=True), _calls(after, kind, takes=True)
    dropped, drops = _calls(before, kind, takes=False), _calls(after, kind, takes=False)
    if len(takes) <= max(len(took), len(drops)) or len(drops) != len(dropped):
        return None
    if _gone(before, after, _ENTERS) or any(
        unbalanced_exit(after, lock) is not None for lock in sections_entered(after)
    ):
        return None
    known = {_neighbours(before, number) for number in took}
    return next((after.flow.steps[n] for n in takes if _neighbours(after, n) not in known), None)


def _lock_left_over(before: Function, after: Function, kind: str) -> Step | None:
    """The lock that lost all its unlocks, None where a new call may unlock."""
    takes = _calls(after, kind, takes=True)
    balanced = len(_calls(before, kind, takes=True)) <= len(_calls(before, kind, takes=False))
    if (
        not takes
        or not balanced
        or after.flow.has_gap
        or _calls(after, kind, takes=False)
        or _gone(after, before, _LEAVES)
    ):
        return None
    return after.flow.steps[takes[0]]


def _gone(one: Function, other: Function, names: re.Pattern[str]) -> bool:
    """Whether a call of such a name is in one function and not in the other."""
    calls = {step.name for step in other.flow.steps if step.kind is StepKind.CALL}
    return any(
        step.kind is StepKind.CALL
        and step.name not in calls
        and step.name not in LOCK_CALLS
        and names.search(step.name)
        for step in one.flow.steps
    )


def _neighbours(function: Function, number: int) -> tuple[str, str]:
    steps = function.flow.steps
    return (steps[number - 1].code if number else "", steps[number + 1].code if number + 1 < len(steps) else "")


def _warning(before: Function, function: Function, step: Step, *, added: bool) -> Hit:
    text = "is added without an unlock" if added else "stays, and its unlock goes"
    lost = next((s for s in before.flow.steps if (found := lock_of(s)) and not found[1].takes), None)
    gone = () if added or lost is None else (replace(step_evidence(Role.UNLOCK, before, lost), origin="base"),)
    return hit_at(
        function,
        step,
        step.name,
        f"{step.name}() {text}",
        (step_evidence(Role.LOCK, function, step), *gone),
        question="Where does this section end?",
        cure="If nowhere: change the other side too, or use guard().",
    )
