"""put-iterated-not-erased: the reference dropped is the iterator's guess, not what the erase took out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.vocabulary import ASSERTED, FREES, MUTEX, RWLOCK, RWSEM, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_WALK = re.compile(r"xa_for_each(?:_range|_start|_marked)?")
_ERASE = re.compile(r"xa_erase(?:_irq|_bh)?")
_PUT = re.compile(r"(?:^|_)put(?:_|$)|kref_put\w*|(?:^|_)(?:free|release|destroy)(?:_|$)")
_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN})  # a reader's section keeps no other reader out
_TEARDOWN = re.compile(r"(?:^|_)(?:exit|destroy|release|free|fini|teardown|cleanup|uninit)(?:_|$)")

PUT = Example(
    "two that empty the array at once both drop the same reference",
    """\
 struct gadget { struct kref ref; };
 struct hub { struct xarray gadgets; };

 static void hub_flush(struct hub *hub)
 {
 	struct gadget *g;
 	unsigned long id;

+	xa_for_each(&hub->gadgets, id, g) {
+		xa_erase(&hub->gadgets, id);
+		gadget_put(g); // <-- warns
+	}
 }
""",
)

FREE = Example(
    "the entry is freed by the loop that erases it",
    """\
 struct gadget { int nr; };
 struct hub { struct xarray gadgets; };

 static void hub_forget(struct hub *hub, int type)
 {
 	struct gadget *g;
 	unsigned long id;

 	rcu_read_lock();
 	xa_for_each_range(&hub->gadgets, id, g, 0, 63) {
-		if (g == xa_erase(&hub->gadgets, id))
-			gadget_put(g);
+		xa_erase(&hub->gadgets, id);
+		gadget_put(g); // <-- warns
 	}
 	rcu_read_unlock();
 }
""",
)

ERASED = Example(
    "what the erase returned is put; a lock keeps others away; teardown of the owner",
    """\
 struct gadget { struct kref ref; };
 struct hub { struct mutex lock; struct xarray gadgets; };

+static void hub_flush(struct hub *hub)
+{
+	struct gadget *g;
+	unsigned long id;
+
+	xa_for_each(&hub->gadgets, id, g) {
+		g = xa_erase(&hub->gadgets, id);
+		if (g)
+			gadget_put(g);
+	}
+}
+
+static void hub_flush_locked(struct hub *hub)
+{
+	struct gadget *g;
+	unsigned long id;
+
+	mutex_lock(&hub->lock);
+	xa_for_each(&hub->gadgets, id, g) {
+		xa_erase(&hub->gadgets, id);
+		gadget_put(g);
+	}
+	mutex_unlock(&hub->lock);
+}
+
+static void hub_destroy(struct hub *hub)
+{
+	struct gadget *g;
+	unsigned long id;
+
+	xa_for_each(&hub->gadgets, id, g) {
+		xa_erase(&hub->gadgets, id);
+		gadget_put(g);
+	}
+	xa_destroy(&hub->gadgets);
+}
""",
)

IN_CALLER = Example(
    "a caller out of sight holds the lock",
    """\
 struct gadget { struct kref ref; };
 struct hub { struct xarray gadgets; };

+static void hub_flush(struct hub *hub)
+{
+	struct gadget *g;
+	unsigned long id;
+
+	xa_for_each(&hub->gadgets, id, g) {
+		xa_erase(&hub->gadgets, id);
+		gadget_put(g); // <-- warns
+	}
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.5,
    sources=("Documentation/core-api/xarray.rst Locking", "Documentation/RCU/rcuref.rst"),
    why="""xa_for_each() takes no lock: when the erase runs, another entry, or none, may be at the index.  The one that
    the iterator found is then put a second time, and the one that was erased never.""",
    instead="Put what was erased: g = xa_erase(&xa, index); if (g) put(g);",
    bad=(PUT, FREE),
    good=(ERASED,),
    blind_spots=(IN_CALLER,),
)
def put_iterated_not_erased(code: Code) -> Iterator[Hit]:
    """An entry found by xa_for_each() is put, though xa_erase() may have taken out another one."""
    for function in code.facts.in_focus:
        for walk, erase, put in _puts(function):
            if _owner_ends(code, function):
                continue
            step = function.flow.steps[put]
            yield hit_at(
                function,
                step,
                function.flow.steps[erase].args[0],
                f"{step.name}() of what {function.flow.steps[walk].name}() found, not of what was erased",
                tuple(
                    step_evidence(role, function, function.flow.steps[number])
                    for role, number in ((Role.READER, walk), (Role.REMOVE, erase), (Role.FREE, put))
                ),
                question="Which lock keeps a second one from emptying the array at the same time?",
                cure="If none does: put what xa_erase() returns.",
            )


def _puts(function: Function) -> Iterator[tuple[int, int, int]]:
    """(walk, erase, put) of loops that erase by index and put the entry that the walk found, with no lock."""
    steps = function.flow.steps
    for walk, step in enumerate(steps):
        if step.kind is not StepKind.WALK or not _WALK.fullmatch(step.name) or len(step.args) < 3:
            continue
        array, index, entry = step.args[:3]
        stop = partial(_new, entry)
        for erase in function.flow.after(walk, stop):
            taken = steps[erase]
            if taken.kind is not StepKind.CALL or not _ERASE.fullmatch(taken.name) or taken.args != (array, index):
                continue
            if taken.target or function.held[erase].ever(_LOCKS) or _result_used(function, erase):
                continue
            for put in function.flow.after(erase, stop):
                if steps[put].kind is StepKind.CALL and _drops(steps[put], entry):
                    yield walk, erase, put
                    break


def _new(entry: str, step: Step) -> bool:
    """Whether the variable has another value from here on, or lines are out of sight."""
    if step.kind is StepKind.WALK:
        return entry in step.args
    return step.kind is StepKind.GAP or (step.kind is StepKind.ASSIGN and step.name == entry)


def _result_used(function: Function, erase: int) -> bool:
    """Whether what the erase returns is compared, tested or handed on at once."""
    code = function.flow.steps[erase].code
    return not code.lstrip().startswith("xa_erase")


def _drops(step: Step, entry: str) -> bool:
    if step.name in FREES or _PUT.search(step.name):
        return any(argument in {entry, f"&{entry}->ref"} for argument in step.args)
    return False


def _owner_ends(code: Code, function: Function) -> bool:
    """Whether the array goes too, or whoever calls holds a lock."""
    ends = any(step.kind is StepKind.CALL and step.name == "xa_destroy" for step in function.flow.steps)
    return ends or bool(_TEARDOWN.search(function.name)) or bool(held_by_caller(code.facts, function, _LOCKS))
