"""free-no-longer-waits: what was freed by way of RCU is freed at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.facts import FactKind, Function
from bot.code.lost import lost_wait, on_no_rcu_list_now, still_waits
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule

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
    "one way of waiting is exchanged for another",
    """\
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
    bad=(AT_ONCE, WAIT_GONE),
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
        for fact in code.facts.facts(function):
            named = lost.kind is FactKind.DEFER and _base(fact.variable) == _base(lost.variable)
            if fact.kind is not FactKind.FREE or not (named or lost.kind is FactKind.WAIT):
                continue
            if code.lifetime.private(function, fact) or code.lifetime.stated(function, fact):
                continue
            gone = lost.evidence(Role.WAIT, "taken out")
            yield hit(
                fact,
                fact.variable,
                f"{fact.name}() frees {fact.variable} at once; {lost.name}() came first before",
                (replace(gone, origin="base"), fact.evidence(Role.FREE)),
                question=f"Can a reader still hold {fact.variable}?",
                cure="If so, keep the wait, or free with kfree_rcu() or call_rcu().",
                confidence=None if named else 0.5,
            )
            break


def _unlinks(code: Code, function: Function) -> bool:
    """Whether the function takes the object away from readers itself, of which grace-period-removed speaks."""
    kinds = {FactKind.UNLINK, FactKind.STORE}
    return any(fact.kind in kinds and fact.rcu for fact in code.facts.facts(function))


def _base(variable: str) -> str:
    found = _BASE.match(variable)
    return found[1] if found else variable
