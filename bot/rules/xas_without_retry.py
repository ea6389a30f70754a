"""xas-without-retry: an internal entry of the array is taken for an object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened
from bot.code.vocabulary import ASSERTED, MUTEX, RCU, RWLOCK, RWSEM, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

_WALK = re.compile(r"xas_(?:load|next|prev|find|find_marked|next_entry|for_each|for_each_marked)")
_CHECKS = re.compile(
    r"\bxas_retry\b|\bxa_is_(?:retry|internal|zero)\b|\bxas_(?:reset|lock\w*|trylock)\b|\bxa_lock\w*\b"
)
_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN)

LOAD = Example(
    "the entry is followed as it was found",
    """\
 static int hub_sum(struct hub *hub)
 {
 	XA_STATE(xas, &hub->gadgets, 0);
 	struct gadget *g;
 	int sum = 0;

 	rcu_read_lock();
+	xas_for_each(&xas, g, ULONG_MAX) // <-- warns
+		sum += g->id;
 	rcu_read_unlock();
 	return sum;
 }
""",
)

ONE = Example(
    "one entry",
    """\
 static int hub_first(struct hub *hub)
 {
 	XA_STATE(xas, &hub->gadgets, 0);
 	struct gadget *g;

 	guard(rcu)();
-	do {
-		g = xas_load(&xas);
-	} while (xas_retry(&xas, g));
+	g = xas_load(&xas); // <-- warns
 	return g ? g->id : 0;
 }
""",
)

CHECKED = Example(
    "the retry; the array's lock; a caller's section",
    """\
+static int hub_sum(struct hub *hub)
+{
+	XA_STATE(xas, &hub->gadgets, 0);
+	struct gadget *g;
+	int sum = 0;
+
+	rcu_read_lock();
+	xas_for_each(&xas, g, ULONG_MAX) {
+		if (xas_retry(&xas, g))
+			continue;
+		sum += g->id;
+	}
+	rcu_read_unlock();
+	return sum;
+}
+
+static int hub_sum_locked(struct hub *hub)
+{
+	XA_STATE(xas, &hub->gadgets, 0);
+	struct gadget *g;
+	int sum = 0;
+
+	rcu_read_lock();
+	xas_lock(&xas);
+	xas_for_each(&xas, g, ULONG_MAX)
+		sum += g->id;
+	xas_unlock(&xas);
+	rcu_read_unlock();
+	return sum;
+}
+
+static bool hub_has(struct hub *hub)
+{
+	XA_STATE(xas, &hub->gadgets, 0);
+	void *entry;
+
+	guard(rcu)();
+	entry = xas_load(&xas);
+	return entry != NULL;
+}
""",
)

IN_CALLEE = Example(
    "the section is the caller's",
    """\
+static int hub_first(struct hub *hub)
+{
+	XA_STATE(xas, &hub->gadgets, 0);
+	struct gadget *g = xas_load(&xas);
+
+	return g ? g->id : 0;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("Documentation/core-api/xarray.rst Advanced API", "include/linux/xarray.h xas_retry()"),
    why="""Without the array's lock the advanced API may return a retry entry: a value that is no pointer to an object.
    xa_load() and xa_for_each() hide it, the xas_ functions do not.""",
    instead="if (xas_retry(&xas, entry)) continue; or xa_load() and xa_for_each(), which do it themselves.",
    bad=(LOAD, ONE),
    good=(CHECKED,),
    blind_spots=(IN_CALLEE,),
)
def xas_without_retry(code: Code) -> Iterator[Hit]:
    """An entry that an xas_ function found in an RCU reader is followed with no xas_retry()."""
    for function in code.facts.in_focus:
        if "xas_" not in function.text or _CHECKS.search(function.text) or function.flow.has_gap:
            continue
        for number, use in _followed(function):
            step = function.flow.steps[number]
            section = opened(code.facts, function, number, (RCU,))
            if section is None or function.held[number].ever(_LOCKS):
                continue
            yield hit_at(
                function,
                step,
                step.args[0] if step.args else step.name,
                f"what {step.name}() found is followed with no xas_retry()",
                (
                    step_evidence(Role.LOCK, function, function.flow.steps[section[1]]),
                    step_evidence(Role.USE, function, use),
                    nothing_found(Role.NOTE, "no xas_retry() in the function"),
                ),
                question="Can the array change while the reader runs?",
                cure="If so: if (xas_retry(&xas, entry)) continue;",
            )


def _followed(function: Function) -> Iterator[tuple[int, Step]]:
    """The steps that find an entry which is followed later, and where it is."""
    for number, step in enumerate(function.flow.steps):
        if not _WALK.fullmatch(step.name):
            continue
        walks = step.kind is StepKind.WALK and len(step.args) > 1
        entry = step.args[1] if walks else step.target if step.kind is StepKind.CALL else ""
        use = next((at for at in sorted(function.flow.after(number)) if entry in function.flow.steps[at].uses), None)
        if entry.isidentifier() and use is not None:
            yield number, function.flow.steps[use]
