"""static-call-out-of-step: a static call changes beside the data it is called with, and nothing joins the two."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

_UPDATES = frozenset({"static_call_update", "__static_call_update"})
_DATA = frozenset({"data", "priv", "private", "private_data", "arg", "ctx", "context", "cookie", "opaque"})
_WAITS = re.compile(r"sync")

_PROBES = """\
 struct probe { void (*func)(void *data); void *data; };
 struct site { struct static_call_key *key; void *tramp; struct probe __rcu *probes; };

"""

HELPER = Example(
    "a reader that has the old data calls the new function",
    _PROBES
    + """\
+static void site_update_call(struct site *s, struct probe *probes)
+{
+	__static_call_update(s->key, s->tramp, probes[0].func);
+}
+
 static void site_set(struct site *s, struct probe *probes)
 {
 	struct probe *old = rcu_dereference_protected(s->probes, lockdep_is_held(&site_lock));

 	rcu_assign_pointer(s->probes, probes);
+	site_update_call(s, probes); // <-- warns
 	kfree_rcu_mightsleep(old);
 }
""",
)

BY_NAME = Example(
    "the function goes by a local variable",
    _PROBES
    + """\
 static void site_set(struct site *s, struct probe *probes)
 {
+	void *func = s->iterator;
+
+	if (!probes[1].func)
+		func = probes[0].func;
+	static_call_update(site_call, func); // <-- warns
 	rcu_assign_pointer(s->probes, probes);
 }
""",
)

WAITED = Example(
    "a grace period lies between the two; the functions take nothing from what is published",
    _PROBES
    + """\
 struct guest_ops { unsigned int (*state)(void); unsigned long (*ip)(void); };

 static void site_set(struct site *s, struct probe *probes)
 {
+	__static_call_update(s->key, s->tramp, s->iterator);
 	rcu_assign_pointer(s->probes, probes);
+	synchronize_rcu();
+	__static_call_update(s->key, s->tramp, probes[0].func);
 }

 static void guest_register(struct guest_ops *ops)
 {
 	rcu_assign_pointer(guest_ops, ops);
+	static_call_update(guest_state, ops->state);
+	static_call_update(guest_ip, ops->ip);
 }
""",
)

DATA_ELSEWHERE = Example(
    "the data is published apart from the function",
    _PROBES
    + """\
 static void site_set(struct site *s, void *func, struct blob *data)
 {
 	rcu_assign_pointer(s->data, data);
+	__static_call_update(s->key, s->tramp, func);
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("include/linux/static_call.h", "Documentation/RCU/checklist.rst item 3"),
    why="""A static call is changed in the code of all processors at once, and waits for no reader.  One that loaded
    the data before goes on to call the function that came after, or the other way round, whatever order the stores
    have.""",
    instead="""Go over a function that works with any data: set that, publish the data, wait for a grace period, and
    only then set the function that belongs to it.""",
    bad=(HELPER, BY_NAME),
    good=(WAITED,),
    blind_spots=(DATA_ELSEWHERE,),
)
def static_call_out_of_step(code: Code) -> Iterator[Hit]:
    """A static call and the data that it is called with are changed one after the other, with no wait between."""
    for function in code.facts.in_focus:
        for store in code.facts.facts(function):
            if store.kind is not FactKind.STORE or not store.rcu or not _holds_data(code.facts, store):
                continue
            found = next(_updates(code.facts, function, store.value), None)
            if found is None or _waits(function) or _waits(found[1]):
                continue
            number, inner, update = found
            yield hit_at(
                function,
                function.flow.steps[number],
                str(store.head),
                f"the static call's function changes beside {store.head}, which holds its data",
                (
                    store.evidence(Role.PUBLISH),
                    step_evidence(Role.NOTE, inner, update),
                    nothing_found(Role.WAIT, "no grace period between the two"),
                ),
                question="What keeps a reader with the old data from calling the new function?",
                cure="If nothing: a function that fits both until a grace period is over.",
            )


def _holds_data(code: WorldFacts, store: Fact) -> bool:
    """Whether what is published holds the argument of a function."""
    kind = store.where.variables.get(store.value, "")
    return any(code.structs.field(kind, name) is not None for name in _DATA)


def _updates(code: WorldFacts, function: Function, variable: str) -> Iterator[tuple[int, Function, Step]]:
    """Where a function, or one that it calls, takes a static call's function from what a variable points to."""
    for number, step in enumerate(function.flow.steps):
        if step.kind is not StepKind.CALL:
            continue
        if step.name in _UPDATES:
            if _taken_from(function, step.args[-1] if step.args else "", variable):
                yield number, function, step
            continue
        callee = code.defined(step.name, function.path) if variable in step.args else None
        if callee is None or callee is function or len(callee.parameters) != len(step.args):
            continue
        parameter = callee.parameters[step.args.index(variable)]
        for inner in callee.flow.steps:
            if inner.name in _UPDATES and inner.args and _taken_from(callee, inner.args[-1], parameter):
                yield number, callee, inner


def _taken_from(function: Function, value: str, variable: str) -> bool:
    """Whether an expression is a member of what a variable points to, or is set to one somewhere."""
    values = {value, *(step.value for step in function.flow.steps if step.name == value)}
    return any(taken.startswith((f"{variable}->", f"{variable}[")) for taken in values)


def _waits(function: Function) -> bool:
    return any(step.kind is StepKind.CALL and _WAITS.search(step.name) for step in function.flow.steps)
