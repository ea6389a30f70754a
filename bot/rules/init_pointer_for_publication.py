"""init-pointer-for-publication: RCU_INIT_POINTER() hands a new object to readers, and orders nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.publication import published
from bot.code.vocabulary import FRESH
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

FILLED = Example(
    "a table is filled, and published with no barrier behind the stores",
    """\
 struct hub { struct mutex lock; struct table __rcu *table; };

 static int hub_resize(struct hub *hub, int size)
 {
 	struct table *t = kzalloc(sizeof(*t), GFP_KERNEL);

 	if (!t)
 		return -ENOMEM;
 	t->size = size;
 	mutex_lock(&hub->lock);
-	rcu_assign_pointer(hub->table, t);
+	RCU_INIT_POINTER(hub->table, t); // <-- warns
 	mutex_unlock(&hub->lock);
 	return 0;
 }
""",
)

PREPARED = Example(
    "a callee fills the object",
    """\
 static struct filter __rcu *active;

 static int filter_load(const void *code)
 {
 	struct filter *f = kmalloc(sizeof(*f), GFP_KERNEL);

 	if (!f)
 		return -ENOMEM;
 	filter_prepare(f, code);
+	RCU_INIT_POINTER(active, f); // <-- warns
 	return 0;
 }
""",
)

ALLOWED = Example(
    "a NULL, an owner that is being made, a value that readers know already",
    """\
 struct hub { struct table __rcu *table; struct table __rcu *spare; };

+static struct hub *hub_new(int size)
+{
+	struct hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);
+	struct table *t = kzalloc(sizeof(*t), GFP_KERNEL);
+
+	t->size = size;
+	RCU_INIT_POINTER(hub->table, t);
+	return hub;
+}
+
+static int hub_init(struct hub *hub, int size)
+{
+	struct table *t = kzalloc(sizeof(*t), GFP_KERNEL);
+
+	t->size = size;
+	RCU_INIT_POINTER(hub->table, t);
+	return 0;
+}
+
+static void hub_grow(struct hub *hub, int size)
+{
+	struct table *t = kzalloc(sizeof(*t), GFP_KERNEL);
+
+	t->size = size;
+	rcu_assign_pointer(hub->table, t);
+	RCU_INIT_POINTER(hub->spare, t);
+}
+
+static void hub_clear(struct hub *hub)
+{
+	RCU_INIT_POINTER(hub->spare, NULL);
+	RCU_INIT_POINTER(hub->spare, rcu_dereference_protected(hub->table, 1));
+}
""",
)

HANDED_IN = Example(
    "the object was made and filled elsewhere",
    """\
+static void hub_set(struct hub *hub, struct table *t)
+{
+	RCU_INIT_POINTER(hub->table, t);
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.6,
    sources=("include/linux/rcupdate.h RCU_INIT_POINTER()", "Documentation/RCU/checklist.rst item 4e"),
    why="""RCU_INIT_POINTER() is a plain store.  On a weakly ordered machine a reader can see the pointer before the
    stores that filled the object.""",
    instead="""rcu_assign_pointer().  RCU_INIT_POINTER() is for NULL, for an owner that no reader can find yet, and for
    objects that readers can see already.""",
    bad=(FILLED, PREPARED),
    good=(ALLOWED,),
    blind_spots=(HANDED_IN,),
)
def init_pointer_for_publication(code: Code) -> Iterator[Hit]:
    """An object that was just filled is published with RCU_INIT_POINTER()."""
    for function in code.facts.in_focus:
        if "RCU_INIT_POINTER" not in function.words:
            continue
        for place, variable, _ in published(code.facts, code.lifetime, function):
            step = function.flow.steps[place]
            filled = _filled(function, place, variable) if step.name == "RCU_INIT_POINTER" else None
            if filled is not None:
                yield _warning(function, step, variable, filled)


def _filled(function: Function, place: int, variable: str) -> Step | None:
    """The last store into the object, or call that it is handed to, before its publication.

    None when a call before may have published it already.
    """
    flow = function.flow
    found = None
    for number in sorted(flow.before(place, lambda step: _makes(step, variable))):
        step = flow.steps[number]
        if step.kind is StepKind.ASSIGN and step.name.startswith(f"{variable}->"):
            found = step
        elif step.kind is StepKind.CALL and variable in step.args:
            if "rcu" in step.name.lower() or "add" in step.name or "insert" in step.name:
                return None
            found = step
    return found


def _makes(step: Step, variable: str) -> bool:
    return step.kind is StepKind.CALL and step.target == variable and step.name in FRESH


def _warning(function: Function, step: Step, variable: str, filled: Step) -> Hit:
    return hit_at(
        function,
        step,
        step.args[0],
        f"RCU_INIT_POINTER() publishes {variable} with no barrier behind the stores that fill it",
        (step_evidence(Role.STORE, function, filled), step_evidence(Role.PUBLISH, function, step)),
        question=f"Can a reader follow {step.args[0]} here?",
        cure="If so: rcu_assign_pointer().",
    )
