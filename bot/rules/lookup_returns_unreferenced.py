"""lookup-returns-unreferenced: a function gives out what its own section protected."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.escapes import Found, given_out, lost_sight
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

RETURNED = Example(
    "the helper locks, looks up, unlocks, and returns the pointer",
    """\
+static struct gadget *hub_find(struct hub *hub, int id)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node)
+		if (g->id == id)
+			goto out;
+	g = NULL;
+out:
+	rcu_read_unlock();
+	return g; // <-- warns
+}
""",
)

MEMBER = Example(
    "what is returned was taken out of the object that the section protects",
    """\
+static struct device *hub_device(struct hub *hub, int addr)
+{
+	struct device *dev = NULL;
+	struct bus *bus;
+	int idx;
+
+	idx = srcu_read_lock(&hub->srcu);
+	bus = srcu_dereference(hub->bus, &hub->srcu);
+	if (bus)
+		dev = bus->range[addr].dev;
+	srcu_read_unlock(&hub->srcu, idx);
+	return dev; // <-- warns
+}
""",
)

PUT_OUT = Example(
    "an output parameter carries it out",
    """\
+static int hub_first(struct hub *hub, struct gadget **out)
+{
+	struct gadget *g;
+
+	guard(rcu)();
+	g = rcu_dereference(hub->first);
+	if (!g)
+		return -ENOENT;
+	*out = g; // <-- warns
+	return 0;
+}
""",
)

UNLOCKED = Example(
    "a lock gives way to a section around the lookup alone",
    """\
 static void *table_entry(struct table *t, int id)
 {
 	return xa_load(&t->entries, id);
 }

 static void *table_map(struct table *t, int id)
 {
 	void *entry;

-	mutex_lock(&t->lock);
+	rcu_read_lock();
 	entry = table_entry(t, id);
-	mutex_unlock(&t->lock);
+	rcu_read_unlock();
 	return entry; // <-- warns
 }
""",
)

KEPT = Example(
    "a reference, a number, an answer of yes or no, and a lookup whose callers are in a section",
    """\
+static struct gadget *hub_get(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	if (g && !kref_get_unless_zero(&g->ref))
+		g = NULL;
+	rcu_read_unlock();
+	return g;
+}
+
+static int hub_state(struct hub *hub)
+{
+	struct gadget *g;
+	int state = 0;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	if (g)
+		state = g->state;
+	rcu_read_unlock();
+	return state;
+}
+
+static bool hub_empty(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	rcu_read_unlock();
+	return !g;
+}
+
+/* The caller holds hub->lock, which keeps the gadgets. */
+static struct gadget *hub_first_locked(struct hub *hub)
+{
+	guard(rcu)();
+	return rcu_dereference(hub->first);
+}
""",
)

FOR_EVER = Example(
    "objects that are never freed",
    """\
+static struct gadget *hub_builtin(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->builtin);
+	rcu_read_unlock();
+	return g; // <-- warns
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 2", "Documentation/RCU/rcu_dereference.rst"),
    why="The section ends before the caller sees the pointer: it protects the lookup, and not what was found.",
    instead="""Let the caller take the section and assert it in the helper (lockdep_assert_in_rcu_read_lock(),
    lockdep_assert_held(&kvm->srcu)), or take a reference before the section ends.""",
    bad=(RETURNED, MEMBER, PUT_OUT, UNLOCKED),
    good=(KEPT,),
    blind_spots=(FOR_EVER,),
    hunk_proves=True,
)
def lookup_returns_unreferenced(code: Code) -> Iterator[Hit]:
    """A pointer leaves a function by return value or output parameter, and the section that protects it is over."""
    for function in code.facts.in_focus:
        for item, out in given_out(code.facts, function):
            if not held_by_caller(code.facts, function):
                returned = function.flow.steps[out].kind is StepKind.RETURN
                what = "is returned" if returned else "is given out"
                yield _warning(function, item, out, f"{what} after the section that protects it", 0.6)
                break
        for item, unlock in lost_sight(code.facts, function):
            if not held_by_caller(code.facts, function):
                yield _warning(function, item, unlock, "is found in the section, and used behind it", 0.6)
                break


def _warning(function: Function, item: Found, out: int, what: str, weak: float) -> Hit:
    step = function.flow.steps[out]
    reader = item.reader.function
    shown = [step_evidence(Role.READER, reader, reader.flow.steps[item.reader.step])]
    if reader is not function or item.member:
        shown.append(step_evidence(Role.NOTE, function, function.flow.steps[item.step]))
    return hit_at(
        function,
        step,
        item.variable,
        f"{item.variable} {what}",
        (*shown, step_evidence(Role.USE, function, step)),
        question=f"What keeps {item.variable} from being freed from then on?",
        cure="If nothing does: let the caller take the section, or take a reference inside it.",
        confidence=weak if item.member else None,
    )
