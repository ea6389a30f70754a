"""srcu-init-unchecked-or-leaked: init_srcu_struct() may fail, and what it allocates has to be given back."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.srcu import Domain, domain_of
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

UNCHECKED = Example(
    "the result is thrown away",
    """\
 static int hub_init(struct hub *hub)
 {
 	mutex_init(&hub->lock);
+	init_srcu_struct(&hub->srcu); // <-- warns
 	return 0;
 }
""",
)

LEAKED = Example(
    "the error path behind it frees the object and leaves the domain",
    """\
 static struct hub *hub_create(void)
 {
 	struct hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);

 	if (!hub)
 		return NULL;
+	if (init_srcu_struct(&hub->srcu))
+		goto out_free;
 	if (hub_register(hub))
 		goto out_free;
 	return hub;
 out_free:
 	kfree(hub); // <-- warns
 	return NULL;
 }
""",
)

UNWOUND = Example(
    "checked and unwound, static, or of no allocation",
    """\
+DEFINE_STATIC_SRCU(gadget_srcu);
+
+static struct hub *hub_create(void)
+{
+	struct hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);
+	int r;
+
+	if (!hub)
+		return NULL;
+	r = init_srcu_struct(&hub->srcu);
+	if (r)
+		goto out_free;
+	r = init_srcu_struct(&hub->irq_srcu);
+	if (r)
+		goto out_srcu;
+	r = hub_register(hub);
+	if (r)
+		goto out_irq;
+	return hub;
+out_irq:
+	cleanup_srcu_struct(&hub->irq_srcu);
+out_srcu:
+	cleanup_srcu_struct(&hub->srcu);
+out_free:
+	kfree(hub);
+	return NULL;
+}
+
+static int hub_start(struct hub *hub)
+{
+	int r = init_srcu_struct(&hub->srcu);
+
+	if (!r)
+		r = hub_register(hub);
+	if (r)
+		hub_destroy(hub);
+	return r;
+}
""",
)

CALLER_FREES = Example(
    "the caller frees the object, and no error path gives the domain back",
    """\
+static int hub_init(struct hub *hub)
+{
+	int r = init_srcu_struct(&hub->srcu);
+
+	if (r)
+		return r;
+	return hub_register(hub);
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.9,
    sources=("Documentation/RCU/checklist.rst item 13", "include/linux/srcu.h init_srcu_struct()"),
    why="""init_srcu_struct() allocates per-CPU counters.  When that fails and nobody looks, the first reader follows a
    null pointer; when the object is freed without cleanup_srcu_struct(), the counters leak.""",
    instead="Check the result, and call cleanup_srcu_struct() on every later error path.",
    bad=(UNCHECKED, LEAKED),
    good=(UNWOUND,),
    blind_spots=(CALLER_FREES,),
    hunk_proves=True,
)
def srcu_init_unchecked_or_leaked(code: Code) -> Iterator[Hit]:
    """The result of init_srcu_struct() is ignored, or an error path frees the object without cleanup_srcu_struct()."""
    for function in code.facts.in_focus:
        if "init_srcu_struct" not in function.words:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or step.name != "init_srcu_struct" or not step.args:
                continue
            domain = domain_of(code.facts, function, step.args[0])
            if step.code.startswith("init_srcu_struct("):
                yield _warning(function, step, step, domain, "nobody looks at whether it failed")
            elif (leak := _leak(code, function, number, domain)) is not None:
                yield _warning(function, step, leak, domain, f"{leak.name}() frees the object without cleanup")


def _leak(code: Code, function: Function, number: int, domain: Domain) -> Step | None:
    """The free of the object that holds the domain, on a way from a successful init without a cleanup."""
    flow = function.flow
    init = flow.steps[number]
    frees = {
        fact.step: flow.steps[fact.step]
        for fact in code.facts.facts(function)
        if fact.kind is FactKind.FREE and fact.variable == domain.holder
    }
    success = _success(function, number)
    if not frees or success is None:
        return None

    def ends(step: Step) -> bool:
        if step.kind is StepKind.GAP:
            return True
        return step.kind is StepKind.CALL and step is not init and _may_clean(code, function, step, domain)

    reached = {success, *flow.after(success, ends)}
    return next((frees[place] for place in sorted(frees) if place in reached), None)


def _success(function: Function, number: int) -> int | None:
    """The assumption, right behind the call, that it did not fail."""
    flow = function.flow
    target = flow.steps[number].target
    pending, seen = list(flow.next[number]), set()
    while pending:
        place = pending.pop(0)
        if place in seen:
            continue
        seen.add(place)
        step = flow.steps[place]
        if step.kind is StepKind.ASSUME:
            about = step.name.removesuffix(" < 0")
            if (about == target or about.startswith("init_srcu_struct(")) and not step.truth:
                return place
            continue
        if step.kind in {StepKind.JOIN, StepKind.ASSIGN}:
            pending.extend(flow.next[place])
    return None


def _may_clean(code: Code, function: Function, step: Step, domain: Domain) -> bool:
    """Whether a call gives the domain back, here or in a callee that is handed the object."""
    if step.name == "cleanup_srcu_struct" and step.args:
        return not domain_of(code.facts, function, step.args[0]).differs(domain)
    callee = code.facts.defined(step.name, function.path)
    if callee is not None:
        return "cleanup_srcu_struct" in callee.words
    undoes = any(word in step.name for word in ("destroy", "clean", "put", "release", "exit", "fini", "teardown"))
    return undoes and domain.holder in step.args


def _warning(function: Function, init: Step, step: Step, domain: Domain, what: str) -> Hit:
    evidence = [step_evidence(Role.DECLARE, function, init)]
    if step is not init:
        evidence.append(step_evidence(Role.FREE, function, step))
    return hit_at(
        function,
        step,
        str(domain),
        f"init_srcu_struct() of {domain}: {what}",
        tuple(evidence),
        cure="Check the result, and undo it with cleanup_srcu_struct().",
    )
