"""unbalanced-read-lock: one way out of a function leaves the section that another way out ends."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.balance import sections_entered, unbalanced_exit
from bot.code.facts import Function
from bot.code.sections import Lock
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

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

ALIAS = Example(
    "an unlock behind a return, under another name",
    """\
 #define walk_begin rcu_read_lock
 #define walk_end rcu_read_unlock

 static int table_walk(struct table *t)
 {
+	walk_begin();
 	return walk_all(t); // <-- warns
+	walk_end();
 }
""",
    tree=False,
)

BALANCED = Example(
    "guards, gotos to the unlock, and pairs behind one flag",
    """\
+static int gadget_state(struct hub *hub, bool locked)
+{
+	int ret = -ENOENT;
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
+static void hub_enter(struct hub *hub) { hub->idx = srcu_read_lock(&hub->srcu); }
+static void hub_leave(struct hub *hub) { srcu_read_unlock(&hub->srcu, hub->idx); }
+
+static struct gadget *hub_first(struct hub *hub)
+{
+	struct gadget *g;
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	if (!g) {
+		rcu_read_unlock();
+		return NULL;
+	}
+	return g;
+}
+
+static void hub_reenter(struct hub *hub) { rcu_read_unlock(); cond_resched(); rcu_read_lock(); }
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
    bad=(EARLY_RETURN, BREAK, TWICE, ALIAS),
    good=(BALANCED, HALVES),
    blind_spots=(FAILS_OPEN,),
    hunk_proves=True,
)
def unbalanced_read_lock(code: Code) -> Iterator[Hit]:
    """A way out of a function does not leave the read-side section that it entered, or leaves it twice."""
    for function in code.facts.in_focus:
        if not function.clean:
            continue
        for lock, first in sections_entered(function).items():
            place = unbalanced_exit(function, lock)
            if place is not None:
                yield _warning(function, lock, first, place)


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
