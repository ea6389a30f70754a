"""unbalanced-read-lock: one way out of a function leaves the section that another way out ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.sections import Lock, lock_of
from bot.code.vocabulary import READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_FAILURE = re.compile(r"-E[A-Z]\w*|-1|NULL|false|ERR_(?:PTR|CAST)\(.*|-\w*err\w*|(?:err|error|rc?|ret|retval|res|rv)")

EARLY_RETURN = Example(
    "an early return with the lock held",
    """\
 static int gadget_state(struct hub *hub)
 {
 	struct gadget *g;
 	int state;

 	rcu_read_lock();
 	g = rcu_dereference(hub->first);
+	if (!g)
+		return -ENOENT; // <-- warns
 	state = g->state;
 	rcu_read_unlock();
 	return state;
 }
""",
)

BREAK = Example(
    "a loop that locks anew each turn is left before the unlock",
    """\
 static void gadget_scan(struct vm *vm)
 {
 	int i, idx;

 	for (i = 0; i < vm->count; i++) {
 		idx = srcu_read_lock(&vm->srcu);
+		if (gadget_busy(vm, i))
+			return; // <-- warns
 		gadget_poke(vm, i);
 		srcu_read_unlock(&vm->srcu, idx);
 	}
 }
""",
)

TWICE = Example(
    "unlocked twice on the error path",
    """\
 static int gadget_state(struct hub *hub)
 {
 	int ret = -ENOENT;

 	rcu_read_lock();
 	if (!rcu_dereference(hub->first)) {
+		rcu_read_unlock();
 		goto out;
 	}
 	ret = 0;
 out:
 	rcu_read_unlock();
 	return ret; // <-- warns
 }
""",
)

BALANCED = Example(
    "guards, gotos to the unlock, and pairs behind one flag",
    """\
+static int gadget_state(struct hub *hub, bool locked)
+{
+	int ret = -ENOENT;
+
+	if (!locked)
+		rcu_read_lock();
+	if (!rcu_dereference(hub->first))
+		goto out;
+	ret = 0;
+out:
+	if (!locked)
+		rcu_read_unlock();
+	return ret;
+}
+
+static void gadget_poke(struct hub *hub)
+{
+	int idx = srcu_read_lock(&hub->srcu);
+
+	if (hub->dead) {
+		srcu_read_unlock(&hub->srcu, idx);
+		return;
+	}
+	poke(hub);
+	srcu_read_unlock(&hub->srcu, idx);
+}
+
+static int gadget_guarded(struct hub *hub)
+{
+	guard(rcu)();
+	if (!rcu_dereference(hub->first))
+		return -ENOENT;
+	scoped_guard(srcu, &hub->srcu) {
+		if (hub->dead)
+			return -ENODEV;
+	}
+	return 0;
+}
""",
)

HALVES = Example(
    "one half of a pair, and a lookup that returns with the section open when it finds something",
    """\
+static void hub_enter(struct hub *hub)
+{
+	hub->idx = srcu_read_lock(&hub->srcu);
+}
+
+static void hub_leave(struct hub *hub)
+{
+	srcu_read_unlock(&hub->srcu, hub->idx);
+}
+
+static struct gadget *hub_first(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	if (!g) {
+		rcu_read_unlock();
+		return NULL;
+	}
+	return g;
+}
+
+static int hub_reenter(struct hub *hub)
+{
+	rcu_read_unlock();
+	cond_resched();
+	rcu_read_lock();
+	return 0;
+}
""",
)

FAILS_OPEN = Example(
    "a function that means to stay in the section when it fails",
    """\
+static int hub_try(struct hub *hub)
+{
+	rcu_read_lock();
+	if (hub->busy)
+		return -EAGAIN; // <-- warns
+	rcu_read_unlock();
+	return 0;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 2", "Documentation/RCU/whatisRCU.rst rcu_read_lock()"),
    why="""A section that is never left holds up every grace period from then on; one that is left twice ends the
    section of the caller.""",
    instead="Unlock on that path too, or let guard(rcu)() and guard(srcu)() do it on every path.",
    bad=(EARLY_RETURN, BREAK, TWICE),
    good=(BALANCED, HALVES),
    blind_spots=(FAILS_OPEN,),
    hunk_proves=True,
)
def unbalanced_read_lock(code: Code) -> Iterator[Hit]:
    """A way out of a function does not leave the read-side section that it entered, or leaves it twice."""
    for function in code.facts.in_focus:
        if function.flow.has_gap or not function.clean:
            continue
        for lock, first in _sections(function).items():
            place = _unbalanced(function, lock)
            if place is not None:
                yield _warning(function, lock, first, place)


def _sections(function: Function) -> dict[Lock, int]:
    """The read-side sections that the function enters, with the step that does so first."""
    found: dict[Lock, int] = {}
    for number, step in enumerate(function.flow.steps):
        taken = lock_of(step)
        if taken and taken[1].takes and taken[0].kind in READ_SIDE and step.name != "guard":
            found.setdefault(taken[0], number)
    return found


def _unbalanced(function: Function, lock: Lock) -> int | None:
    """The exit whose balance is wrong, None when none is for certain."""
    exits: dict[int, set[int]] = {}
    for number, followers in enumerate(function.flow.next):
        if not followers and function.held[number].states:
            # A void function may end with its unlock; what is held is known before each step.
            last = lock_of(function.flow.steps[number])
            change = 0 if last is None or last[0] != lock else 1 if last[1].takes else -1
            exits[number] = {dict(state).get(lock, 0) + change for state in function.held[number].states}
    counts = set().union(*exits.values()) if exits else set()
    if len(counts) < 2 or min(counts) < 0 < max(counts) or 0 not in counts:
        return None  # balanced, or a half of a pair
    if _on_condition(function, lock) or _entered_by_caller(function, lock):
        return None
    if mixed := [number for number, found in exits.items() if len(found) > 1]:
        return mixed[0]
    wrong = next(number for number, found in exits.items() if found != {0})
    right = [number for number, found in exits.items() if found == {0}]
    step = function.flow.steps[wrong]
    if step.kind is not StepKind.RETURN or not step.name:
        return wrong
    # A function may return with the section open when it succeeds; a failure that does is a mistake.
    fails = _FAILURE.fullmatch(step.name) is not None
    return wrong if fails and not all(_FAILURE.fullmatch(function.flow.steps[n].name) for n in right) else None


def _entered_by_caller(function: Function, lock: Lock) -> bool:
    """Whether the function may leave a section that it did not enter: then it ends what its caller began."""

    def takes(step: Step) -> bool:
        found = lock_of(step)
        return found is not None and found[0] == lock and found[1].takes

    steps = [function.flow.steps[number] for number in function.flow.after(0, takes)]
    return any((found := lock_of(step)) is not None and found[0].kind == lock.kind for step in steps)


def _on_condition(function: Function, lock: Lock) -> bool:
    """Whether an unlock is passed by on a branch that goes on right behind it: lock and unlock follow one flag."""
    flow = function.flow
    for number, step in enumerate(flow.steps):
        found = lock_of(step)
        if found is None or found[0] != lock:
            continue
        for before in flow.previous[number]:
            if flow.steps[before].kind is not StepKind.ASSUME:
                continue
            siblings = {other for fork in flow.previous[before] for other in flow.next[fork]} - {before}
            behind = set(flow.after(number))
            if any(set(flow.next[sibling]) & behind for sibling in siblings if flow.next[sibling]):
                return True
    return False


def _warning(function: Function, lock: Lock, first: int, place: int) -> Hit:
    opened, left = function.flow.steps[first], function.flow.steps[place]
    evidence = (step_evidence(Role.LOCK, function, opened), step_evidence(Role.UNLOCK, function, left))
    what = f"{lock.kind} section of {lock.what}" if lock.what else f"{lock.kind} section"
    return hit_at(
        function,
        left,
        opened.name,
        f"{opened.name}() and its unlock do not balance on the way out at line {function.file_line(left.line)}",
        evidence,
        question=f"Who leaves the {what} that this path enters?",
        cure="If nobody: unlock on this path, or use guard().",
    )
