"""double-dereference: a pointer is loaded once to be tested and a second time to be followed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.vocabulary import ASSERTED, MUTEX, READS, RWLOCK, RWSEM, SEQ, SPIN, UPDATER_READS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_WORD = re.compile(r"\w+")
_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN})
_LOADS = READS.keys() - UPDATER_READS - {"rcu_dereference_rtnl", "rcu_dereference_bh_rtnl"}

TWICE = Example(
    "tested, and loaded anew to call through it",
    """\
 static void hub_poke(struct hub *hub)
 {
-	struct hooks *hooks;
-
 	rcu_read_lock();
-	hooks = rcu_dereference(hub->hooks);
-	if (hooks)
-		hooks->poke(hub);
+	if (rcu_dereference(hub->hooks))
+		rcu_dereference(hub->hooks)->poke(hub); // <-- warns
 	rcu_read_unlock();
 }
""",
)

EARLY_OUT = Example(
    "the way out is for the first load only",
    """\
 static int hub_size(struct hub *hub)
 {
 	struct table *t;

 	guard(rcu)();
+	if (!rcu_dereference(hub->table))
+		return 0;
-	t = rcu_dereference(hub->table);
-	if (!t)
-		return 0;
+	t = rcu_dereference(hub->table);
+	return t->size; // <-- warns
-	return t->size;
 }
""",
)

ONCE = Example(
    "loaded once; tested again; a test without a load; another pointer; the update lock",
    """\
+static int hub_size(struct hub *hub, struct hub *other)
+{
+	struct table *t;
+	int size = 0;
+
+	rcu_read_lock();
+	t = rcu_dereference(hub->table);
+	if (t)
+		size = t->size;
+	if (rcu_dereference(hub->spare)) {
+		t = rcu_dereference(hub->spare);
+		if (t)
+			size += t->size;
+	}
+	if (rcu_access_pointer(hub->last)) {
+		t = rcu_dereference(hub->last);
+		size += t ? t->size : 0;
+	}
+	rcu_read_unlock();
+	return size;
+}
+
+static void hub_poke(struct hub *hub)
+{
+	spin_lock(&hub->lock);
+	if (rcu_dereference_protected(hub->hooks, lockdep_is_held(&hub->lock)))
+		rcu_dereference_protected(hub->hooks, lockdep_is_held(&hub->lock))->poke(hub);
+	if (rcu_dereference(hub->hooks))
+		rcu_dereference(hub->hooks)->poke(hub);
+	spin_unlock(&hub->lock);
+}
""",
)

HELPER = Example(
    "the test is in a helper",
    """\
+static bool hub_hooked(struct hub *hub)
+{
+	return rcu_dereference(hub->hooks) != NULL;
+}
+
+static void hub_poke(struct hub *hub)
+{
+	guard(rcu)();
+	if (hub_hooked(hub))
+		rcu_dereference(hub->hooks)->poke(hub);
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.75,
    sources=("Documentation/RCU/rcu_dereference.rst", "Documentation/RCU/whatisRCU.rst rcu_dereference()"),
    why="""Two loads in one section may see two values: an updater may replace or clear the pointer between them.  The
    test then says nothing about what is followed.""",
    instead="Load the pointer once into a variable, test that, and follow that.",
    bad=(TWICE, EARLY_OUT),
    good=(ONCE,),
    blind_spots=(HELPER,),
    hunk_proves=True,
)
def double_dereference(code: Code) -> Iterator[Hit]:
    """A reader tests one load of an RCU pointer and follows another load of it."""
    for function in code.facts.in_focus:
        if not _LOADS & function.words:
            continue
        seen: set[int] = set()
        for number, step in enumerate(function.flow.steps):
            loaded = _loaded(step)
            if loaded is None or function.held[number].ever(_LOCKS):
                continue
            use = _followed(function, number, *loaded)
            if use is None or use in seen or held_by_caller(code.facts, function, _LOCKS):
                continue
            seen.add(use)
            yield _warning(function, step, function.flow.steps[use], loaded[1])


def _loaded(step: Step) -> tuple[str, str] | None:
    """The load and its pointer, in an assumption that the pointer is there."""
    if step.kind is not StepKind.ASSUME or not step.truth or not step.name.endswith(")"):
        return None
    name, _, pointer = step.name[:-1].partition("(")
    return (step.name, pointer) if name in _LOADS else None


def _followed(function: Function, start: int, load: str, pointer: str) -> int | None:
    """The first step behind the test that follows a new load of the pointer, which was not tested."""
    flow = function.flow
    name = load.partition("(")[0]
    base = pointer.split("->")[0].lstrip("&(*")

    def ends(step: Step) -> bool:
        changes = step.kind in {StepKind.ASSIGN, StepKind.WALK} and base in {step.name, *step.args[:1]}
        return changes or step.kind is StepKind.GAP

    for number in sorted(flow.after(start, ends)):
        step = flow.steps[number]
        if function.held[number].ever(_LOCKS):
            continue
        if load in step.uses:
            return number
        again = step.kind is StepKind.CALL and step.name == name and ",".join(step.args) == pointer
        if again and step.target.isidentifier():
            return _unchecked(function, number, step.target)
    return None


def _unchecked(function: Function, load: int, variable: str) -> int | None:
    """The first use of a variable on a way that does not test it."""
    flow = function.flow
    start = flow.next[load][0] if flow.next[load] else load

    def ends(step: Step) -> bool:
        return step.kind is StepKind.GAP or (step.kind is StepKind.ASSIGN and step.name == variable)

    if any(variable in _WORD.findall(step.name) for step in flow.steps if step.kind is StepKind.ASSUME):
        return None
    return next((at for at in sorted(flow.after(start, ends)) if variable in flow.steps[at].uses), None)


def _warning(function: Function, tested: Step, use: Step, pointer: str) -> Hit:
    return hit_at(
        function,
        use,
        pointer,
        f"{pointer} is loaded a second time, and the test was of the first load",
        (step_evidence(Role.READER, function, tested), step_evidence(Role.USE, function, use)),
        question=f"Can {pointer} become NULL between the two loads?",
        cure="If so: load it once, test that and follow that.",
    )
