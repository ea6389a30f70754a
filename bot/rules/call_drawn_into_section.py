"""call-drawn-into-section: a section is extended over a call that was kept out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.cover import counterpart
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.sections import lock_of
from bot.code.sleeping import NO_SLEEP
from bot.code.vocabulary import FREES
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_SLEEPS = re.compile(r"\b(?:sleep|block|schedule)s?\b", re.IGNORECASE)
_NOT = re.compile(r"(?:not|never|n't|cannot) +(?:\w+ +)?(?:sleep|block|schedule)", re.IGNORECASE)
_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+\*/|//[^\n]*+")

DROPPED_FOR_IT = Example(
    "the section was left for the call, and taken again behind it",
    """\
 static void hub_update(struct hub *hub)
 {
 	struct gadget *g;

 	rcu_read_lock();
 	hub_for_each_gadget(g, hub) {
-		if (!gadget_tryget(g))
-			continue;
-		rcu_read_unlock();
 		gadget_update(g); // <-- warns
-		rcu_read_lock();
-		gadget_put(g);
 	}
 	rcu_read_unlock();
 }
""",
    tree=False,
)

SAID = Example(
    "the comment that said why the section ends goes with it",
    """\
 static void page_online(struct page *page)
 {
 	bool online;

 	rcu_read_lock();
 	online = device_wants(page);
-	/* page_fake_offline() might sleep, and the device is not needed any more. */
-	rcu_read_unlock();
 	if (online)
 		page_give(page);
 	else
 		page_fake_offline(page); // <-- warns
+	rcu_read_unlock();
 }
""",
    tree=False,
)

MOVED = Example(
    "a call that was outside for no stated reason; a comment that says it does not sleep",
    """\
 static void hub_update(struct hub *hub)
 {
 	rcu_read_lock();
 	hub_note(hub);
-	rcu_read_unlock();
 	hub_report(hub);
+	rcu_read_unlock();
 }

 static void hub_settle(struct hub *hub)
 {
 	/* hub_reset() does not sleep. */
+	rcu_read_lock();
 	hub_reset(hub);
+	rcu_read_unlock();
 }
""",
    tree=False,
)

NO_LONGER = Example(
    "the callee was changed not to sleep any more",
    """\
 static void hub_update(struct hub *hub)
 {
 	rcu_read_lock();
 	hub_note(hub);
-	rcu_read_unlock();
 	gadget_update(hub->own); // <-- warns
-	rcu_read_lock();
 	hub_note(hub);
 	rcu_read_unlock();
 }
""",
    tree=False,
)


@rule(
    level=Level.ERROR,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 13",),
    why="An RCU reader must not block.  A call that a section was left for, or that is said to sleep, was kept out.",
    instead="Take a reference, leave the section for the call, and take it again; or show that it cannot sleep.",
    bad=(DROPPED_FOR_IT, SAID),
    good=(MOVED,),
    blind_spots=(NO_LONGER,),
    replaces=("sleep-in-reader",),
    hunk_proves=True,
)
def call_drawn_into_section(code: Code) -> Iterator[Hit]:
    """A call that a section was left for, or that is said to sleep, runs inside the section now."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        before = counterpart(code.before.facts, function)
        if before is None or before.text == function.text:
            continue
        calls = _only_calls(before)
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or _plain(step):
                continue
            place = calls.get((step.name, step.args))
            if place is None or not _nothing_held(before, place) or not _deeper(before, place, function, number):
                continue
            if _left_for(before, place) or _said_to_sleep(before, step):
                yield _warning(before, function, number, place)
                break


def _plain(step: Step) -> bool:
    return lock_of(step) is not None or step.name in FREES or not step.name.isidentifier() or step.name.isupper()


def _only_calls(function: Function) -> dict[tuple[str, tuple[str, ...]], int]:
    """Where a function makes each of its calls, of those that it makes once."""
    found: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for number, step in enumerate(function.flow.steps):
        if step.kind is StepKind.CALL:
            found.setdefault((step.name, step.args), []).append(number)
    return {call: places[0] for call, places in found.items() if len(places) == 1}


def _nothing_held(function: Function, place: int) -> bool:
    held = function.held[place]
    return bool(held.states) and not held.ever(NO_SLEEP)


def _deeper(before: Function, place: int, after: Function, number: int) -> bool:
    """Whether a step is in a section that it was not in before; a lock out of sight counts for both."""
    low, high = _depths(before, place), _depths(after, number)
    return bool(low and high) and max(low) < min(high) and (min(high) > 0 or after.flow.has_gap)


def _depths(function: Function, number: int) -> set[int]:
    """How many sections are open at a step, on each way; fewer than none behind the end of one opened out of sight."""
    return {sum(n for lock, n in state if lock.kind in NO_SLEEP) for state in function.held[number].states}


def _left_for(before: Function, number: int) -> bool:
    """Whether the section was left right before a call, and is taken again right behind it."""
    flow = before.flow
    return _side(before, number, flow.previous, takes=False) and _side(before, number, flow.next, takes=True)


def _side(function: Function, number: int, ways: tuple[tuple[int, ...], ...], *, takes: bool) -> bool:
    """Whether a lock, or an unlock, of a section is next to a step, but for what assigns its result."""
    for _ in range(3):
        if len(ways[number]) != 1:
            return False
        number = ways[number][0]
        step = function.flow.steps[number]
        found = lock_of(step)
        if found is not None:
            return found[0].kind in NO_SLEEP and found[1].takes is takes
        if step.kind not in {StepKind.ASSIGN, StepKind.JOIN}:
            return False
    return False


def _said_to_sleep(function: Function, step: Step) -> bool:
    """Whether a comment names a call and says that it sleeps."""
    found = (match[0] for match in _COMMENT.finditer(function.text) if step.name in match[0])
    return any(_SLEEPS.search(text) and not _NOT.search(text) for text in found)


def _warning(before: Function, function: Function, number: int, place: int) -> Hit:
    step = function.flow.steps[number]
    was = replace(step_evidence(Role.NOTE, before, before.flow.steps[place]), origin="base", note="outside before")
    return hit_at(
        function,
        step,
        step.name,
        f"{step.name}() runs inside the read-side section now",
        (was, step_evidence(Role.SLEEP, function, step)),
        question=f"Can {step.name}() run without sleeping?",
        cure="If not: leave the section for it, with a reference to what is used behind it.",
    )
