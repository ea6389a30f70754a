"""free-no-longer-waits: what was freed by way of RCU is freed at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.lost import lost_wait, on_no_rcu_list_now, still_waits
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_FREES = re.compile(r"(?:^|_)(?:k?free|destroy|release|dtor)(?:_|$)")
_BASE = re.compile(r"&?\(?(\w+)")


AT_ONCE = Example(
    "the object is freed at once where it was handed to RCU before",
    """\
 struct port { struct rcu_head rcu; };

 static void port_release(struct port *p)
 {
 	port_stop(p);
-	kfree_rcu(p, rcu);
+	kfree(p); // <-- warns
 }
""",
)

WAIT_GONE = Example(
    "the wait before the free goes",
    """\
 struct shell { struct list_head list; };

 static void shell_free(struct shell *s)
 {
 	if (!s)
 		return;
-	synchronize_rcu();
 	shell_stop(s);
 	kfree(s); // <-- warns
 }
""",
)

BY_A_CALLEE = Example(
    "a function out of sight frees it now",
    """\
 struct state { refcount_t ref; struct rcu_head rcu; };

 static void shell_drop(struct shell *s, struct state *st)
 {
-	call_rcu(&st->rcu, state_put_rcu);
+	if (refcount_dec_and_test(&st->ref))
+		state_free(st); // <-- warns
 }
""",
)

NEVER_SEEN = Example(
    "an error path before publication does not need the hand-over",
    """\
 struct port { struct rcu_head rcu; };

 static int port_make(void)
 {
 	struct port *p = kzalloc(sizeof(*p), GFP_KERNEL);

 	if (port_setup(p)) {
-		kfree_rcu(p, rcu);
+		kfree(p);
 		return -EINVAL;
 	}
 	return port_publish(p);
 }
""",
)

LATER = Example(
    "one way of waiting is exchanged for another, be it by its name alone",
    """\
 static void state_drop(struct state *st)
 {
-	call_rcu(&st->rcu, state_free_rcu);
+	state_put_rcu_user(st);
+	state_destroy(st->name);
 }

 struct port { struct rcu_head rcu; };

 static void port_release(struct port *p)
 {
-	kfree_rcu(p, rcu);
+	synchronize_rcu();
+	kfree(p);
 }
""",
)

NO_READER = Example(
    "readers that all hold a reference now, which no line here tells",
    """\
 struct port { struct rcu_head rcu; };

 static void port_release(struct port *p)
 {
-	kfree_rcu(p, rcu);
+	kfree(p); // <-- warns
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 14",),
    why="""Somebody thought of readers that may still hold the object.  Where they are is not to be seen here; that they
    are gone should be.""",
    instead="Keep kfree_rcu(), call_rcu() or the wait, or say in the changelog why no reader is left.",
    bad=(AT_ONCE, WAIT_GONE, BY_A_CALLEE),
    good=(NEVER_SEEN, LATER),
    blind_spots=(NO_READER,),
    hunk_proves=True,
)
def free_no_longer_waits(code: Code) -> Iterator[Hit]:
    """An object is freed at once where a grace period, or a hand-over to RCU, came first."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        lost = lost_wait(code.facts, code.before.facts, function)
        if lost is None or still_waits(code.facts, code.before.facts, code.lifetime, function):
            continue
        if _unlinks(code, function) or on_no_rcu_list_now(code.facts, code.before.facts, lost.where):
            continue
        freed = next(_frees(code, function, lost), None)
        if freed is not None:
            yield _warning(function, lost, *freed)


def _frees(code: Code, function: Function, lost: Fact) -> Iterator[tuple[Step, str, bool]]:
    """The steps that free what waited before: the variable, and whether it is the very one that was handed over."""
    facts = {fact.step: fact for fact in code.facts.facts(function) if fact.kind is FactKind.FREE}
    for number, step in enumerate(function.flow.steps):
        fact = facts.get(number)
        if fact is not None:
            named = lost.kind is FactKind.DEFER and _base(fact.variable) == _base(lost.variable)
            if not (named or lost.kind is FactKind.WAIT):
                continue
            if not code.lifetime.private(function, fact) and not code.lifetime.stated(function, fact):
                yield step, fact.variable, named
        elif lost.kind is FactKind.DEFER and step.kind is StepKind.CALL and _FREES.search(step.name):
            handed = next((arg for arg in step.args if _base(arg) == _base(lost.variable)), "")
            if handed:
                yield step, handed, True


def _warning(function: Function, lost: Fact, step: Step, variable: str, named: bool) -> Hit:
    gone = lost.evidence(Role.WAIT, "taken out")
    return hit_at(
        function,
        step,
        variable,
        f"{step.name}() frees {variable} at once; {lost.name}() came first before",
        (replace(gone, origin="base"), step_evidence(Role.FREE, function, step)),
        question=f"Can a reader still hold {variable}?",
        cure="If so, keep the wait, or free with kfree_rcu() or call_rcu().",
        confidence=None if named else 0.5,
    )


def _unlinks(code: Code, function: Function) -> bool:
    """Whether the function takes the object away from readers itself, of which grace-period-removed speaks."""
    kinds = {FactKind.UNLINK, FactKind.STORE}
    return any(fact.kind in kinds and fact.rcu for fact in code.facts.facts(function))


def _base(variable: str) -> str:
    found = _BASE.match(variable)
    return found[1] if found else variable
