"""updater-helper-in-reader: a reader calls the helper for updaters, though there is one for readers."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.asked import Need, last_name, lock_asked
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened
from bot.code.sections import Lock
from bot.code.vocabulary import READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

_LONGEST = 16  # steps of a helper that does nothing but read

HELPERS = """\
 static inline struct table *hub_table(struct hub *hub)
 {
 	return rtnl_dereference(hub->table);
 }

 static inline struct table *hub_table_rcu(struct hub *hub)
 {
 	return rcu_dereference(hub->table);
 }
"""

TWIN = Example(
    "the section is taken for the lookup, and the helper asks for the RTNL",
    f"""\
{HELPERS}
+static struct port *hub_port(struct hub *hub, int id)
+{{
+	struct port *port;
+
+	rcu_read_lock();
+	port = table_find(hub_table(hub), id); // <-- warns
+	if (port && !port_get(port))
+		port = NULL;
+	rcu_read_unlock();
+	return port;
+}}
""",
)

RIGHT = Example(
    "the helper for readers; a reader that holds the lock too, or whose callers do; a helper without a twin",
    f"""\
{HELPERS}
 static inline struct table *hub_names(struct hub *hub)
 {{
 	return rtnl_dereference(hub->names);
 }}

+static int hub_size(struct hub *hub)
+{{
+	guard(rcu)();
+	return hub_table_rcu(hub)->size;
+}}
+
+static int hub_resize(struct hub *hub)
+{{
+	int size;
+
+	rtnl_lock();
+	rcu_read_lock();
+	size = hub_table(hub)->size;
+	rcu_read_unlock();
+	rtnl_unlock();
+	return size;
+}}
+
+static int hub_locked_size(struct hub *hub)
+{{
+	ASSERT_RTNL();
+	guard(rcu)();
+	return hub_table(hub)->size;
+}}
+
+static int hub_dump(struct hub *hub)
+{{
+	guard(rcu)();
+	return hub_names(hub)->size;
+}}
""",
)

CALLER_HOLDS = Example(
    "the callers hold the RTNL, which nothing in sight says",
    f"""\
{HELPERS}
+static int hub_size(struct hub *hub)
+{{
+	guard(rcu)();
+	return hub_table(hub)->size; // <-- warns
+}}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("Documentation/RCU/lockdep.rst", "Documentation/RCU/rcu_dereference.rst"),
    why="""rcu_dereference_protected() and rtnl_dereference() are for those who hold the lock: they leave out the
    ordering that a reader needs, and lockdep reports the missing lock.""",
    instead="Call the form for readers, which ends in _rcu.",
    bad=(TWIN,),
    good=(RIGHT,),
    blind_spots=(CALLER_HOLDS,),
)
def updater_helper_in_reader(code: Code) -> Iterator[Hit]:
    """In a section of its own a function calls a helper that needs a lock, and the helper has a form for readers."""
    for function in code.facts.in_focus:
        if not function.sections or not code.facts.telling(function):
            continue
        for number, step in enumerate(function.flow.steps):
            found = _helper(code, function, step)
            if found is None or not (section := opened(code.facts, function, number, READ_SIDE)):
                continue
            helper, inner, need = found
            if not _may_hold(code, function, need):
                yield _warning(function, step, section, helper, inner, need)


def _helper(code: Code, function: Function, step: Step) -> tuple[Function, Step, Need] | None:
    """What a call reads by the rules of updaters, when a form for readers stands beside it."""
    if step.kind is not StepKind.CALL or f"{step.name}_rcu" not in code.facts.by_name:
        return None
    helper = code.facts.defined(step.name, function.path)
    if helper is None or len(helper.flow.steps) > _LONGEST:
        return None
    for inner in helper.flow.steps:
        if (need := lock_asked(inner)) is not None:
            return helper, inner, need
    return None


def _may_hold(code: Code, function: Function, need: Need) -> bool:
    """Whether the function, or somebody who calls it, speaks of the lock."""
    texts = [function.text, *(caller.text for caller, _ in code.facts.callers(function))]
    return any(lock in text.lower() for text in texts for lock in need.locks)


def _warning(
    function: Function, step: Step, section: tuple[Lock, int], helper: Function, inner: Step, need: Need
) -> Hit:
    taken = function.flow.steps[section[1]]
    reads = last_name(inner.args[0]) if inner.args else helper.name
    return hit_at(
        function,
        step,
        reads,
        f"{step.name}() needs {' or '.join(need.locks)}, and a reader calls it",
        (
            step_evidence(Role.LOCK, function, taken),
            step_evidence(Role.USE, function, step),
            step_evidence(Role.READER, helper, inner),
            nothing_found(Role.LOCK, f"no {' or '.join(need.locks)} in {function.name}() or its callers in sight"),
        ),
        question=f"Is {' or '.join(need.locks)} held here?",
        cure=f"If not: {step.name}_rcu().",
    )
