"""rcu-primitive-dropped: the plain form takes the place of the _rcu form, and no lock comes with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.contract import held_by_caller
from bot.code.cover import counterpart
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.lost import published_no_more
from bot.code.vocabulary import READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_FORM = re.compile(r"(?P<name>\w+?)_rcu(?P<rest>_\w+)?")
_KINDS = {StepKind.CALL, StepKind.WALK}
_TEARDOWN = re.compile(r"(?:^|_)(?:init|exit|destroy|release|free|fini|teardown|cleanup|abort)(?:_|$)")

WALK = Example(
    "the iterator loses its _rcu inside the section",
    """\
 static bool gadget_known(struct hub *hub, int id)
 {
 	struct gadget *g;
 	guard(rcu)();
-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	list_for_each_entry(g, &hub->gadgets, node) // <-- warns
 		if (g->id == id)
 			return true;
 	return false;
 }
""",
)

HELPER = Example(
    "the helper for updaters is called where that for readers was",
    """\
 static struct vlan *port_vlan(struct port *p, int id)
 {
-	return vlan_find(port_group_rcu(p), id);
+	return vlan_find(port_group(p), id); // <-- warns
 }
""",
)

SPLICE = Example(
    "a list is joined to a live one by plain stores",
    """\
 static void hub_commit(struct hub *hub, struct list_head *fresh)
 {
-	list_splice_rcu(fresh, &hub->gadgets);
+	list_splice(fresh, &hub->gadgets); // <-- warns
 	hub_notify(hub);
 }
""",
)

LOCKED = Example(
    "the updaters' lock is held or asserted",
    """\
 static void gadget_reset(struct hub *hub)
 {
 	struct gadget *g;
-	rcu_read_lock();
-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	mutex_lock(&hub->lock);
+	list_for_each_entry(g, &hub->gadgets, node)
 		g->state = 0;
-	rcu_read_unlock();
+	mutex_unlock(&hub->lock);
 }

 static void gadget_reset_locked(struct hub *hub)
 {
 	struct gadget *g;

+	lockdep_assert_held(&hub->lock);
-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	list_for_each_entry(g, &hub->gadgets, node)
 		g->state = 1;
 }
""",
)

OTHERWISE = Example(
    "teardown, and a loop that goes on removing what it walks",
    """\
 static void hub_destroy(struct hub *hub)
 {
 	struct gadget *g, *next;

-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	list_for_each_entry(g, &hub->gadgets, node)
 		gadget_stop(g);
 }

 static void hub_forget_idle(struct hub *hub)
 {
 	struct gadget *g, *next;

-	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
 		list_del_rcu(&g->node);
 		kfree_rcu(g, rcu);
 	}
 }
""",
)

CALLER = Example(
    "a caller out of sight holds the lock",
    """\
 static int hub_count(struct hub *hub)
 {
 	struct gadget *g;
 	int n = 0;

-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	list_for_each_entry(g, &hub->gadgets, node) // <-- warns
 		n++;
 	return n;
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.5,
    sources=("Documentation/RCU/checklist.rst item 10", "Documentation/RCU/checklist.rst item 4"),
    why="""The _rcu form was there for readers that run beside updaters: it orders the stores that publish, and makes a
    reader load each pointer once.  The plain form is for those who hold the updaters' lock.""",
    instead="Keep the _rcu form, or show the lock that makes the plain one right: take it, or assert it.",
    bad=(WALK, HELPER, SPLICE),
    good=(LOCKED, OTHERWISE),
    blind_spots=(CALLER,),
    hunk_proves=True,
)
def rcu_primitive_dropped(code: Code) -> Iterator[Hit]:
    """A plain primitive takes the place of its _rcu form where no lock is held."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        before = counterpart(code.before.facts, function)
        if before is None or before.text == function.text or _TEARDOWN.search(function.name):
            continue
        for number, step, lost in _dropped(before, function):
            if held_by_caller(code.facts, function):
                break
            if published_no_more(code.facts, code.before.facts, function, number):
                continue
            yield _warning(before, function, number, step, lost)


def _dropped(before: Function, after: Function) -> Iterator[tuple[int, Step, Step]]:
    """The steps that lost their _rcu with the same arguments, no lock being held there; and what they were before."""
    forms = {
        (_plain(step.name), step.args): step for step in before.flow.steps if step.kind in _KINDS and _plain(step.name)
    }
    old = {(step.name, step.args) for step in before.flow.steps if step.kind in _KINDS}
    now = {(step.name, step.args) for step in after.flow.steps if step.kind in _KINDS}
    for number, step in enumerate(after.flow.steps):
        lost = forms.get((step.name, step.args)) if step.kind in _KINDS else None
        if lost is None or (step.name, step.args) in old or (lost.name, lost.args) in now:
            continue
        if not _locked(after, number):
            yield number, step, lost


def _plain(name: str) -> str:
    """The name without its _rcu, "" when it has none."""
    found = _FORM.fullmatch(name)
    return found["name"] + (found["rest"] or "") if found else ""


def _locked(function: Function, number: int) -> bool:
    """Whether any way to a step holds a lock that is no read-side section."""
    return any(
        count > 0 and lock.kind not in READ_SIDE for state in function.held[number].states for lock, count in state
    )


def _warning(before: Function, function: Function, number: int, step: Step, lost: Step) -> Hit:
    reading = function.held[number].reading
    return hit_at(
        function,
        step,
        step.name,
        f"{step.name}() takes the place of {lost.name}(), with no lock in sight",
        (
            replace(step_evidence(Role.NOTE, before, lost), origin="base", note="as it was"),
            step_evidence(Role.USE, function, step),
        ),
        question="Which lock keeps updaters away here?",
        cure="If none does, keep the _rcu form.",
        confidence=0.7 if reading else None,
    )
