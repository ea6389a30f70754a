"""publish-before-init: readers can find an object before it is made ready."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, Function
from bot.code.flow import Step, StepKind
from bot.code.publication import published, who_uses
from bot.code.removal import is_null
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_INITS = re.compile(
    r"(?:raw_)?spin_lock_init|(?:__)?mutex_init|rwlock_init|init_rwsem|seqcount_init|seqlock_init|refcount_set|"
    r"kref_init|INIT_LIST_HEAD|INIT_HLIST_HEAD|INIT_WORK|INIT_DELAYED_WORK|init_completion|init_waitqueue_head|"
    r"timer_setup|xa_init(?:_flags)?|idr_init"
)
_FLAG = re.compile(r"true|1|\(?true\)?")

LATE_OPS = Example(
    "what the readers call is set when they can find it already",
    """\
 struct gadget { struct list_head node; const struct gadget_ops *ops; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static int gadget_add(struct hub *hub, const struct gadget_ops *ops)
 {
 	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);

-	g->ops = ops;
 	spin_lock(&hub->lock);
 	list_add_rcu(&g->node, &hub->gadgets);
 	spin_unlock(&hub->lock);
+	g->ops = ops; // <-- warns
 	return 0;
 }

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		g->ops->poke(g);
 }
""",
)

LATE_LOCK = Example(
    "the lock inside the object is made ready afterwards",
    """\
 static int hub_set(struct hub *hub)
 {
 	struct table *t = kzalloc(sizeof(*t), GFP_KERNEL);

-	spin_lock_init(&t->lock);
 	rcu_assign_pointer(hub->table, t);
+	spin_lock_init(&t->lock); // <-- warns
 	return 0;
 }
""",
)

LATE_COUNT = Example(
    "a lookup may take a reference before the count is set",
    """\
 static int gadget_new(struct hub *hub, int id)
 {
 	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);

-	refcount_set(&g->refs, 1);
 	xa_store(&hub->gadgets, id, g, GFP_KERNEL);
+	refcount_set(&g->refs, 1); // <-- warns
 	return 0;
 }
""",
)

READY = Example(
    "ready before; under a lock that the readers take; a counter; a flag with a barrier; a private owner; a NULL",
    """\
 struct gadget { struct list_head node; int state; int hits; int ready; int id; struct gadget *peer; };
 struct hub { spinlock_t lock; struct list_head gadgets; struct gadget __rcu *first; };

+static int gadget_add(struct hub *hub, int state)
+{
+	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
+
+	INIT_LIST_HEAD(&g->node);
+	g->id = state;
+	spin_lock(&hub->lock);
+	list_add_rcu(&g->node, &hub->gadgets);
+	g->state = state;
+	g->hits++;
+	g->peer = NULL;
+	smp_store_release(&g->ready, 1);
+	spin_unlock(&hub->lock);
+	return 0;
+}
+
+static int hub_init(struct hub *hub)
+{
+	struct gadget *g = kzalloc(sizeof(*g), GFP_KERNEL);
+
+	rcu_assign_pointer(hub->first, g);
+	INIT_LIST_HEAD(&g->node);
+	return 0;
+}
+
 static int hub_sum(struct hub *hub)
 {
 	struct gadget *g;
 	int sum = 0;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node) {
 		if (!smp_load_acquire(&g->ready))
 			continue;
 		sum += g->id + g->hits + (g->peer ? 1 : 0);
 		guard(spinlock)(&hub->lock);
 		sum += g->state;
 	}
 	return sum;
 }
""",
)

BY_CALLEE = Example(
    "a callee makes it ready",
    """\
+static int hub_set(struct hub *hub)
+{
+	struct table *t = kzalloc(sizeof(*t), GFP_KERNEL);
+
+	rcu_assign_pointer(hub->table, t);
+	table_init(t);
+	return 0;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 4e", "Documentation/RCU/whatisRCU.rst rcu_assign_pointer()"),
    why="""Publication is the moment from which readers may use an object.  It orders what was written before it, and
    nothing that is written later.""",
    instead="Make the object ready first and publish it last.",
    bad=(LATE_OPS, LATE_LOCK, LATE_COUNT),
    good=(READY,),
    blind_spots=(BY_CALLEE,),
    hunk_proves=True,
)
def publish_before_init(code: Code) -> Iterator[Hit]:
    """An object is filled after readers can find it."""
    for function in code.facts.in_focus:
        for place, variable, fact in published(code.facts, code.lifetime, function):
            for number, evidence in _late(code, function, place, variable, fact):
                first, late = function.flow.steps[place], function.flow.steps[number]
                yield hit_at(
                    function,
                    late,
                    variable,
                    f"{variable} is made ready after {first.name}() let readers find it",
                    (step_evidence(Role.PUBLISH, function, first), *evidence),
                    question=f"Can a reader find {variable} between the two?",
                    cure="If so: publish it last.",
                )
                break


def _late(
    code: Code, function: Function, place: int, variable: str, fact: Fact | None
) -> Iterator[tuple[int, tuple[Evidence, ...]]]:
    """The steps behind the publication that make the object ready, with who reads what they set."""
    flow = function.flow
    earlier = [flow.steps[number] for number in flow.before(place)]

    def ends(step: Step) -> bool:
        anew = step.kind is StepKind.ASSIGN and step.name == variable
        return anew or step.kind is StepKind.GAP or code.lifetime.is_wait(step, function)

    for number in sorted(flow.after(place, ends)):
        step = flow.steps[number]
        if any((step.kind, step.name, step.args[:1]) == (old.kind, old.name, old.args[:1]) for old in earlier):
            continue
        late = step_evidence(Role.STORE, function, step)
        if step.kind is StepKind.CALL and _INITS.fullmatch(step.name) and step.args[0].startswith(f"&{variable}->"):
            yield number, (late,)
        elif step.kind is not StepKind.ASSIGN or not step.name.startswith(f"{variable}->") or fact is None:
            continue
        elif not is_null(step.value) and not _FLAG.fullmatch(step.value):
            for reader, at in who_uses(code.facts, fact, step.name):
                yield number, (late, step_evidence(Role.READER, reader, reader.flow.steps[at]))
