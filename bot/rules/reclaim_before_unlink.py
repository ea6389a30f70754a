"""reclaim-before-unlink: the grace period is started while readers can still find the object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.removal import is_null, retirements, unlinks
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, rule, who_publishes_and_reads

_QUEUES = re.compile(r"k?v?free_rcu\w*|call_s?rcu\w*|queue_rcu_work")
_TEARDOWN = re.compile(r"(?:^|_)(?:exit|destroy|destruct|release|free|fini|teardown|cleanup)(?:_|$)")

CALLBACK = Example(
    "call_rcu() runs first, the removal comes after",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
+	call_rcu(&g->rcu, gadget_free_cb); // <-- warns
 	list_del_rcu(&g->node);
-	call_rcu(&g->rcu, gadget_free_cb);
 	spin_unlock(&hub->lock);
 }
""",
)

POINTER = Example(
    "the old value is handed over before the new one takes its place",
    """\
 struct filter { int nr; struct rcu_head rcu; };
 struct vm { struct mutex lock; struct filter __rcu *filter; };

+static void filter_set(struct vm *vm, struct filter *new)
+{
+	struct filter *old = rcu_dereference_protected(vm->filter, lockdep_is_held(&vm->lock));
+
+	if (old)
+		kfree_rcu(old, rcu); // <-- warns
+	rcu_assign_pointer(vm->filter, new);
+}
""",
)

IN_ORDER = Example(
    "unlinked first; another object; a cookie taken early; teardown; a way that never unlinks",
    """\
 struct gadget { struct list_head node; struct list_head spare; struct rcu_head rcu; struct gadget *twin; };
 struct hub { spinlock_t lock; struct list_head gadgets; unsigned long cookie; };
 struct filter { int nr; struct rcu_head rcu; }; struct vm { struct filter __rcu *filter; };

+static void gadget_drop(struct hub *hub, struct gadget *g, struct gadget *other)
+{
+	hub->cookie = start_poll_synchronize_rcu();
+	list_del_rcu(&g->node);
+	kfree_rcu(g, rcu);
+	list_del_rcu(&other->node);
+	kfree_rcu(other, rcu);
+}
+
+static void vm_destroy(struct vm *vm)
+{
+	struct filter *old = rcu_dereference_protected(vm->filter, 1);
+
+	call_rcu(&old->rcu, filter_free_cb);
+	rcu_assign_pointer(vm->filter, NULL);
+}
+
+static void gadget_change(struct hub *hub, struct gadget *g, bool fresh)
+{
+	if (!fresh)
+		list_del_rcu(&g->node);
+	kfree_rcu(g, rcu);
+}
""",
)

LOOP = Example(
    "each turn of a loop has another object; the second list is not an RCU list",
    """\
 struct gadget { struct list_head node; struct list_head spare; struct rcu_head rcu; };
 struct hub { struct list_head gadgets; };

+static void hub_forget(struct hub *hub, struct gadget *g, struct gadget *next)
+{
+	list_for_each_entry_safe(g, next, &hub->gadgets, node) {
+		list_del_rcu(&g->node);
+		call_rcu(&g->rcu, gadget_free_cb);
+		list_del(&g->spare);
+	}
+}
""",
)

IN_CALLEE = Example(
    "the removal is in a callee",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; };

 static void gadget_unlink(struct gadget *g)
 {
 	list_del_rcu(&g->node);
 }

+static void gadget_drop(struct gadget *g)
+{
+	call_rcu(&g->rcu, gadget_free_cb);
+	gadget_unlink(g);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 14", "Documentation/RCU/whatisRCU.rst"),
    why="""A grace period waits for the readers that are there when it begins.  One that comes later and still finds the
    object is not waited for, and holds it when it is freed.  A lock around both does not keep readers out.""",
    instead="Unlink first, then call_rcu(), kfree_rcu() or synchronize_rcu(), then free.",
    bad=(CALLBACK, POINTER),
    good=(IN_ORDER, LOOP),
    blind_spots=(IN_CALLEE,),
    hunk_proves=True,
)
def reclaim_before_unlink(code: Code) -> Iterator[Hit]:
    """An object is handed to RCU to be freed before it is taken from where readers find it."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=True):
        queue = None if unlink.excuse else _queued_before(code, unlink.fact, unlink.fact.variable)
        if queue is not None and not _gone_before(code, queue, unlink.fact.variable):
            yield _warning(queue, unlink.fact, str(unlink.head), who_publishes_and_reads(unlink.protection))
    for retired in retirements(code.facts):
        if is_null(retired.fact.value) and _TEARDOWN.search(retired.fact.function):
            continue  # the owner of the pointer goes, and nobody finds it any more
        queue = _queued_before(code, retired.fact, retired.old)
        if queue is not None and not _gone_before(code, queue, retired.old):
            yield _warning(queue, retired.fact, str(retired.protection.field), retired.protection.who_reads())
    for fact in code.facts.all_facts:
        if fact.kind is FactKind.STORE and fact.rcu and is_null(fact.value) and fact.where.flow.has_gap:
            queue = _queued_unseen(code, fact)
            if queue is not None:
                yield _warning(queue, fact, str(fact.head) if fact.head.member else queue.variable, ())


def _queued_unseen(code: Code, clearing: Fact) -> Fact | None:
    """The hand-over of a variable that bears the name of the pointer cleared next, where its load is out of sight."""
    name = re.split(r"->|\.", clearing.where.flow.steps[clearing.step].args[0])[-1]
    assigned = any(step.kind is StepKind.ASSIGN and step.name == name for step in clearing.where.flow.steps)
    return None if assigned else _queued_before(code, clearing, name)


def _queued_before(code: Code, removal: Fact, variable: str) -> Fact | None:
    """The hand-over of the same object that a way to its removal meets."""
    ways = set(removal.where.flow.before(removal.step, lambda step: _another(step, variable)))
    for fact in code.facts.facts(removal.where):
        queues = fact.kind is FactKind.DEFER and _QUEUES.fullmatch(fact.name) and fact.step in ways
        if queues and _is_of(fact.variable, variable):
            return fact
    return None


def _gone_before(code: Code, queue: Fact, variable: str) -> bool:
    """Whether the object was taken from some structure, or replaced somewhere, before the hand-over."""
    function: Function = queue.where
    earlier = set(function.flow.before(queue.step, lambda step: _another(step, variable)))
    return any(
        fact.step in earlier
        and ((fact.kind is FactKind.UNLINK and fact.variable == variable) or (fact.kind is FactKind.STORE and fact.rcu))
        for fact in code.facts.facts(function)
    )


def _another(step: Step, variable: str) -> bool:
    """Whether the variable stands for another object from here on, or lines are out of sight."""
    if step.kind is StepKind.GAP:
        return True
    if step.kind is StepKind.WALK:
        return variable in step.args
    return step.kind is StepKind.ASSIGN and step.name == variable


def _is_of(argument: str, variable: str) -> bool:
    return re.match(rf"&?\(?{re.escape(variable)}(->|\.|\)|$)", argument) is not None


def _warning(queue: Fact, removal: Fact, subject: str, shown: tuple[Evidence, ...]) -> Hit:
    return hit(
        queue,
        subject,
        f"{queue.name}() of {subject} comes before {removal.name}()",
        (*shown, queue.evidence(Role.WAIT), removal.evidence(Role.REMOVE)),
        question="Can a reader find the object between the two?",
        cure=f"If so: {removal.name}() first.",
    )
