"""access-pointer-dereferenced: rcu_access_pointer() is for tests, and what it returned is followed."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN})

VARIABLE = Example(
    "the table of the hub is followed",
    """\
 static int hub_target(struct hub *hub, int pin)
 {
 	struct table *t;
 	int target = -1;

 	rcu_read_lock();
-	t = rcu_dereference(hub->table);
+	t = rcu_access_pointer(hub->table); // <-- warns
 	if (t)
 		target = t->target[pin];
 	rcu_read_unlock();
 	return target;
 }
""",
)

DIRECT = Example(
    "followed where it is loaded",
    """\
 static int hub_size(struct hub *hub)
 {
 	guard(rcu)();
-	return rcu_dereference(hub->table)->size;
+	return rcu_access_pointer(hub->table)->size; // <-- warns
 }
""",
)

TESTED = Example(
    "compared, tested, handed over, loaded again, under the update lock, or when no reader is left",
    """\
+static bool hub_has(struct hub *hub, struct table *which)
+{
+	struct table *t;
+
+	rcu_read_lock();
+	t = rcu_access_pointer(hub->table);
+	if (t == which || !t) {
+		rcu_read_unlock();
+		return false;
+	}
+	t = rcu_dereference(hub->table);
+	pr_debug("%d", t ? t->size : 0);
+	rcu_read_unlock();
+	return true;
+}
+
+static void hub_resize(struct hub *hub)
+{
+	struct table *t;
+
+	rcu_read_lock();
+	spin_lock(&hub->lock);
+	t = rcu_access_pointer(hub->table);
+	t->size++;
+	spin_unlock(&hub->lock);
+	rcu_read_unlock();
+}
+
+static void hub_forget(struct hub *hub)
+{
+	struct table *old = rcu_access_pointer(hub->table);
+
+	rcu_assign_pointer(hub->table, NULL);
+	synchronize_rcu();
+	pr_debug("%d", old->size);
+	table_put(old);
+}
""",
)

NO_SECTION = Example(
    "no section of the function's own",
    """\
+static int hub_size(struct hub *hub)
+{
+	struct table *t = rcu_access_pointer(hub->table);
+
+	return t ? t->size : 0;
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.85,
    sources=("Documentation/RCU/rcu_dereference.rst", "include/linux/rcupdate.h rcu_access_pointer()"),
    why="""rcu_access_pointer() does not keep the compiler and the processor from loading what lies behind the pointer
    too early, and lockdep does not check that a section protects it.""",
    instead="rcu_dereference() in a reader, rcu_dereference_protected() under the update lock.",
    bad=(VARIABLE, DIRECT),
    good=(TESTED,),
    blind_spots=(NO_SECTION,),
    hunk_proves=True,
)
def access_pointer_dereferenced(code: Code) -> Iterator[Hit]:
    """A reader follows a pointer that it loaded with rcu_access_pointer()."""
    for function in code.facts.in_focus:
        if "rcu_access_pointer" not in function.words:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or step.name != "rcu_access_pointer" or not _reads(function, number):
                continue
            use = _followed(code, function, number)
            if use is not None and not held_by_caller(code.facts, function, _LOCKS):
                yield _warning(function, step, function.flow.steps[use])


def _reads(function: Function, number: int) -> bool:
    return function.held[number].reading and not function.held[number].ever(_LOCKS)


def _followed(code: Code, function: Function, number: int) -> int | None:
    """The first step that follows what was loaded, with no lock taken and nothing waited for on the way."""
    step = function.flow.steps[number]
    names = {f"{step.name}({step.args[0]})"} if step.args else set()
    start = number
    if step.target.isidentifier():
        names.add(step.target)
        start = function.flow.next[number][0] if function.flow.next[number] else number

    def ends(other: Step) -> bool:
        loads = other.kind in {StepKind.ASSIGN, StepKind.WALK} and step.target in {other.name, *other.args[:1]}
        again = other.kind is StepKind.CALL and other.name == step.name and other.args == step.args
        return loads or again or other.kind is StepKind.GAP or code.lifetime.is_wait(other, function)

    uses = (at for at in sorted(function.flow.after(start, ends)) if names & function.flow.steps[at].uses)
    return next((at for at in uses if _reads(function, at)), None)


def _warning(function: Function, step: Step, use: Step) -> Hit:
    pointer = step.args[0] if step.args else step.name
    return hit_at(
        function,
        step,
        pointer,
        f"{pointer} is loaded with {step.name}() and followed in a reader",
        (step_evidence(Role.READER, function, step), step_evidence(Role.USE, function, use)),
        question=f"Which lock keeps {pointer} from being replaced here?",
        cure="If none: rcu_dereference().",
    )
