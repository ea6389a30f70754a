"""srcu-used-before-init: an object is published before its SRCU domain is initialised."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.srcu import Domain, domain_of
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_USE = re.compile(r"srcu_read_lock\w*|synchronize_srcu\w*|call_srcu|srcu_barrier")
_PUBLISH = re.compile(r"(?:xa_(?:store|insert)|idr_alloc|radix_tree_insert|list_add|hlist_add|hash_add)\w*")

LISTED = Example(
    "on the list first, initialised afterwards",
    """\
 static int hub_add(struct hub *hub)
 {
 	int r;

 	mutex_lock(&hub_lock);
+	list_add_tail_rcu(&hub->node, &hubs); // <-- warns
 	mutex_unlock(&hub_lock);
 	r = init_srcu_struct(&hub->srcu);
-	list_add_tail_rcu(&hub->node, &hubs);
 	return r;
 }
""",
)

READ = Example(
    "the function reads the domain that it initialises later",
    """\
 static int hub_start(struct hub *hub)
 {
+	int idx = srcu_read_lock(&hub->srcu); // <-- warns
+
+	hub_poke(hub);
+	srcu_read_unlock(&hub->srcu, idx);
 	return init_srcu_struct(&hub->srcu);
 }
""",
)

INITIALISED = Example(
    "initialised first, another object, or the next one in a loop",
    """\
+static int hub_add(struct hub *hub, struct hub *other)
+{
+	int r = init_srcu_struct(&hub->srcu);
+
+	if (r)
+		return r;
+	list_add_tail_rcu(&hub->node, &hubs);
+	return init_srcu_struct(&other->srcu);
+}
+
+static void hub_make_all(void)
+{
+	struct hub *hub;
+	int i;
+
+	for (i = 0; i < 4; i++) {
+		hub = hub_create(i);
+		if (init_srcu_struct(&hub->srcu))
+			break;
+		list_add_tail_rcu(&hub->node, &hubs);
+	}
+}
""",
)

CALLEE = Example(
    "published by a callee",
    """\
+static int hub_add(struct hub *hub)
+{
+	hub_publish(hub);
+	return init_srcu_struct(&hub->srcu);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 13", "include/linux/srcu.h init_srcu_struct()"),
    why="""Whoever finds the object may enter a section of its domain at once, and counts in memory that
    init_srcu_struct() has not allocated yet.""",
    instead="Initialise the domain first, publish the object last.",
    bad=(LISTED, READ),
    good=(INITIALISED,),
    blind_spots=(CALLEE,),
    hunk_proves=True,
)
def srcu_used_before_init(code: Code) -> Iterator[Hit]:
    """An object can be found, or its SRCU domain is used, before init_srcu_struct()."""
    for function in code.facts.in_focus:
        if "init_srcu_struct" not in function.words:
            continue
        steps = function.flow.steps
        inits = {
            n: s for n, s in enumerate(steps) if s.kind is StepKind.CALL and s.name == "init_srcu_struct" and s.args
        }
        for number, init in inits.items():
            domain = domain_of(code.facts, function, init.args[0])
            before = set(function.flow.before(number)) - set(function.flow.after(number))
            early = next((n for n in sorted(before) if _too_early(code, function, n, domain)), None)
            if early is not None and not any(n in inits for n in function.flow.before(early)):
                yield _warning(function, steps[early], init, domain)


def _too_early(code: Code, function: Function, number: int, domain: Domain) -> bool:
    """Whether a step publishes the object that holds the domain, or uses the domain."""
    step = function.flow.steps[number]
    if step.kind is not StepKind.CALL:
        return False
    if _USE.fullmatch(step.name) and step.args:
        used = domain_of(code.facts, function, step.args[0])
        return used.same(domain) and used.holder == domain.holder
    if not domain.holder:
        return False
    if _PUBLISH.fullmatch(step.name) and step.name.startswith(("xa_", "idr_", "radix_")):
        return domain.holder in step.args
    added = (f for f in code.facts.facts(function) if f.step == number and f.kind in {FactKind.ADD, FactKind.STORE})
    return any(_published(fact) == domain.holder for fact in added)


def _published(fact: Fact) -> str:
    if fact.kind is FactKind.ADD:
        return fact.variable
    return fact.value if fact.rcu else ""


def _warning(function: Function, step: Step, init: Step, domain: Domain) -> Hit:
    uses = _USE.fullmatch(step.name) is not None
    what = "uses" if uses else "lets others find the object of"
    return hit_at(
        function,
        step,
        str(domain),
        f"{step.name}() {what} {domain} before init_srcu_struct()",
        (
            step_evidence(Role.READER if uses else Role.PUBLISH, function, step),
            step_evidence(Role.DECLARE, function, init),
        ),
        question="Can anybody enter a section of the domain in between?",
        cure="Initialise the domain first.",
    )
