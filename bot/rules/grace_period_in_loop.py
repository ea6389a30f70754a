"""grace-period-in-loop: one grace period for each entry of a list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import FactKind, Function
from bot.code.flow import Step, StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule, step_evidence

_WAIT = re.compile(r"synchronize_(?:s?rcu|net)(?:_expedited)?")

EACH = Example(
    "every entry is waited for by itself",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void hub_flush(struct hub *hub)
 {
 	struct gadget *g, *next;

 	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
 		list_del_rcu(&g->node);
+		synchronize_rcu(); // <-- warns
 		kfree(g);
 	}
 }
""",
)

ONCE = Example(
    "collected, waited for once, freed; a walk that ends where it waits",
    """\
 struct gadget { struct list_head node; struct list_head spare; int id; };
 struct hub { struct list_head gadgets; };

+static void hub_flush(struct hub *hub)
+{
+	struct gadget *g, *next;
+	LIST_HEAD(dead);
+
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
+		list_del_rcu(&g->node);
+		list_add(&g->spare, &dead);
+	}
+	synchronize_rcu();
+	list_for_each_entry_safe(g, next, &dead, spare)
+		kfree(g);
+}
+
+static void hub_forget(struct hub *hub, int id)
+{
+	struct gadget *g, *next;
+
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
+		if (g->id != id)
+			continue;
+		list_del_rcu(&g->node);
+		synchronize_rcu();
+		kfree(g);
+		break;
+	}
+}
""",
)

IN_CALLEE = Example(
    "the grace period is in a callee",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

+static void gadget_drop(struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	synchronize_rcu();
+	kfree(g);
+}
+
+static void hub_flush(struct hub *hub)
+{
+	struct gadget *g, *next;
+
+	list_for_each_entry_safe(g, next, &hub->gadgets, node)
+		gadget_drop(g);
+}
""",
)


@rule(
    level=Level.NOTE,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 6",),
    why="""A grace period takes milliseconds, on a large machine more.  A list of a thousand entries keeps its caller,
    and the locks that it holds, for that many of them.""",
    instead="Unlink all, wait once, then free all; or kfree_rcu() and call_rcu(), which batch by themselves.",
    bad=(EACH,),
    good=(ONCE,),
    blind_spots=(IN_CALLEE,),
    hunk_proves=True,
)
def grace_period_in_loop(code: Code) -> Iterator[Hit]:
    """A grace period passes in each turn of a walk."""
    for function in code.facts.in_focus:
        for fact in code.facts.facts(function):
            if fact.kind is not FactKind.WAIT or not _WAIT.fullmatch(fact.name):
                continue
            walk = _walk_around(function, fact.step)
            if walk is not None:
                yield hit(
                    fact,
                    fact.name,
                    f"{fact.name}() in each turn of {walk.name}()",
                    (step_evidence(Role.NOTE, function, walk), fact.evidence(Role.WAIT)),
                    question="How long can the list be?",
                    cure="Wait once behind the loop, or free with kfree_rcu().",
                )


def _walk_around(function: Function, number: int) -> Step | None:
    """The iterator whose next turn comes after the step."""

    def ends(step: Step) -> bool:
        return step.kind is StepKind.GAP

    around = set(function.flow.after(number, ends)) & set(function.flow.before(number, ends))
    walks = [place for place in around if function.flow.steps[place].kind is StepKind.WALK]
    return function.flow.steps[max(walks)] if walks and number in function.flow.after(number, ends) else None
