"""rhashtable-lookup-result-outlives-section: the section ended inside the lookup that returned the object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.structs import UNKNOWN, object_of
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOOKUPS = frozenset({"rhashtable_lookup_fast", "rhashtable_lookup_get_insert_fast"})
_REMOVES = re.compile(r"(?:^|_)(?:unreg\w*|remove|del\w*|destroy|free|exit|release|fini|teardown|cleanup)(?:_|$)")

TRYGET = Example(
    "a reference is tried for when the section is over already",
    """\
 struct gadget { struct rhash_head node; refcount_t users; struct rcu_head rcu; };
 struct hub { struct rhashtable table; };

+static struct gadget *gadget_get(struct hub *hub, u32 id)
+{
+	struct gadget *g;
+
+	g = rhashtable_lookup_fast(&hub->table, &id, gadget_params);
+	if (g && !refcount_inc_not_zero(&g->users)) // <-- warns
+		g = NULL;
+	return g;
+}
+
 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	rhashtable_remove_fast(&hub->table, &g->node, gadget_params);
 	kfree_rcu(g, rcu);
 }
""",
)

HELD = Example(
    "a section or a mutex around lookup and use; an object that RCU does not free; only whether it is there",
    """\
 struct gadget { struct rhash_head node; int id; struct rcu_head rcu; };
 struct stone { struct rhash_head node; int id; };
 struct hub { struct mutex lock; struct rhashtable table; struct rhashtable stones; };

+static int gadget_id(struct hub *hub, u32 key)
+{
+	struct gadget *g;
+	struct stone *s;
+	int id = 0;
+
+	scoped_guard(rcu) {
+		g = rhashtable_lookup_fast(&hub->table, &key, gadget_params);
+		if (g)
+			id = g->id;
+	}
+	s = rhashtable_lookup_fast(&hub->stones, &key, gadget_params);
+	id += s->id;
+	mutex_lock(&hub->lock);
+	g = rhashtable_lookup_fast(&hub->table, &key, gadget_params);
+	id += g->id;
+	mutex_unlock(&hub->lock);
+	return id;
+}
+
+static bool gadget_known(struct hub *hub, u32 key)
+{
+	struct gadget *g = rhashtable_lookup_fast(&hub->table, &key, gadget_params);
+
+	return g != NULL;
+}
+
 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	rhashtable_remove_fast(&hub->table, &g->node, gadget_params);
 	kfree_rcu(g, rcu);
 }
""",
)

HANDED_ON = Example(
    "the caller uses what the lookup returned",
    """\
 struct gadget { struct rhash_head node; int id; struct rcu_head rcu; };

+static struct gadget *gadget_find(struct rhashtable *table, u32 id)
+{
+	return rhashtable_lookup_fast(table, &id, gadget_params);
+}
+
 static void gadget_drop(struct gadget *g)
 {
 	kfree_rcu(g, rcu);
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.55,
    sources=("include/linux/rhashtable.h rhashtable_lookup_fast()", "Documentation/RCU/checklist.rst item 2"),
    why="""rhashtable_lookup_fast() takes and drops rcu_read_lock() itself: when it returns, nothing keeps the object
    from being removed and freed, unless the caller holds a section or a lock of its own.""",
    instead="rcu_read_lock() around rhashtable_lookup() and all use of its result, or until a reference is taken.",
    bad=(TRYGET,),
    good=(HELD,),
    blind_spots=(HANDED_ON,),
)
def rhashtable_lookup_result_outlives_section(code: Code) -> Iterator[Hit]:
    """What rhashtable_lookup_fast() returned is used with no section or lock held around both."""
    for function in code.facts.in_focus:
        if not _LOOKUPS & function.words or _REMOVES.search(function.name):
            continue
        for lookup, use in _used(function):
            dies = _freed_by_rcu(code, function, function.flow.steps[lookup].target)
            if dies is None or held_by_caller(code.facts, function):
                continue
            first, then = function.flow.steps[lookup], function.flow.steps[use]
            yield hit_at(
                function,
                then,
                first.target,
                f"{first.target} of {first.name}() is used after the section that it was found in",
                (step_evidence(Role.READER, function, first), step_evidence(Role.USE, function, then), dies),
                question=f"What keeps {first.target} from being freed behind {first.name}()?",
                cure="If nothing does: rcu_read_lock() around the lookup and the use.",
            )


def _used(function: Function) -> Iterator[tuple[int, int]]:
    """Lookups with nothing held, in sight of the function's head, and the first use of each result."""
    flow = function.flow
    for number, step in enumerate(flow.steps):
        if step.name not in _LOOKUPS or not step.target.isidentifier() or any(function.held[number].states - {()}):
            continue
        if any(flow.steps[earlier].kind is StepKind.GAP for earlier in flow.before(number)):
            continue  # a lock may be taken there
        start = flow.next[number][0] if flow.next[number] else number

        def ends(at: Step, name: str = step.target) -> bool:
            return at.kind is StepKind.GAP or (at.kind is StepKind.ASSIGN and at.name == name)

        uses = [place for place in sorted(flow.after(start, ends)) if _follows(flow.steps[place], step.target)]
        if uses:
            yield number, uses[0]


def _follows(step: Step, name: str) -> bool:
    """Whether a step reads the object, or hands a member of it to a call."""
    return name in step.uses or any(argument.startswith(f"&{name}->") for argument in step.args)


def _freed_by_rcu(code: Code, function: Function, variable: str) -> Evidence | None:
    """Where objects of this type are freed after a grace period: they can go while a reader looks at them."""
    kind = function.variables.get(variable, UNKNOWN)
    if kind == UNKNOWN:
        return None
    for other in code.facts.functions:
        if "rcu" not in other.text:
            continue
        for fact in code.facts.facts(other):
            freed = object_of(fact.variable) if fact.kind is FactKind.DEFER else ""
            if freed and other.variables.get(freed, UNKNOWN) == kind:
                return fact.evidence(Role.FREE)
    return None
