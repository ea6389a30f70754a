"""prev-walk-of-rculist: a reader walks backwards, and removal poisons the pointer that it follows."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import FactKind, Function
from bot.code.flow import Step
from bot.code.protection import ListProtection
from bot.code.structs import NOWHERE, UNKNOWN, Key
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN)
_WALKS = frozenset({"list_for_each_entry_reverse", "list_for_each_entry_safe_reverse", "list_last_entry"})
# cursor, member
_STEPS = {"list_prev_entry": (0, 1), "list_prev_entry_circular": (0, 2), "list_for_each_entry_continue_reverse": (0, 2)}

REVERSE = Example(
    "the newest entry is looked for from the end",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static bool gadget_known(struct hub *hub, int id)
 {
 	struct gadget *g;

 	guard(rcu)();
-	list_for_each_entry_rcu(g, &hub->gadgets, node)
+	list_for_each_entry_reverse(g, &hub->gadgets, node) // <-- warns
 		if (g->id == id)
 			return true;
 	return false;
 }

 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_add_tail_rcu(&g->node, &hub->gadgets);
 	spin_unlock(&hub->lock);
 }

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_del_rcu(&g->node);
 	spin_unlock(&hub->lock);
 	kfree_rcu(g, rcu);
 }
""",
)

ONE_BACK = Example(
    "one step back from what was found",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static int gadget_before(struct hub *hub, int id)
 {
 	struct gadget *g;
 	int before = 0;

 	rcu_read_lock();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		if (g->id == id)
+			before = list_prev_entry(g, node)->id; // <-- warns
 	rcu_read_unlock();
 	return before;
 }

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	list_del_rcu(&g->node);
 	kfree_rcu(g, rcu);
 }
""",
)

LOCKED = Example(
    "under the update lock; a list that keeps both directions; one that only grows",
    """\
 struct gadget { struct list_head node; struct list_head both; struct list_head grown; int id; };
 struct hub { spinlock_t lock; struct list_head gadgets; struct list_head twoway; struct list_head log; };

+static int hub_last(struct hub *hub)
+{
+	struct gadget *g;
+	int id = 0;
+
+	rcu_read_lock();
+	spin_lock(&hub->lock);
+	list_for_each_entry_reverse(g, &hub->gadgets, node)
+		id = g->id;
+	spin_unlock(&hub->lock);
+	list_for_each_entry_reverse(g, &hub->twoway, both)
+		id = g->id;
+	list_for_each_entry_reverse(g, &hub->log, grown)
+		id = g->id;
+	rcu_read_unlock();
+	return id;
+}
+
 static void gadget_add(struct hub *hub, struct gadget *g)
 {
 	list_add_tail_rcu(&g->node, &hub->gadgets);
 	list_add_tail_rcu(&g->both, &hub->twoway);
 	list_add_tail_rcu(&g->grown, &hub->log);
 }

 static void gadget_drop(struct gadget *g)
 {
 	list_del_rcu(&g->node);
 	list_bidir_del_rcu(&g->both);
 }
""",
)

NO_SECTION = Example(
    "the section is the caller's",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { struct list_head gadgets; };

+static int hub_sum(struct hub *hub)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	list_for_each_entry_reverse(g, &hub->gadgets, node)
+		sum += g->id;
+	return sum;
+}
+
 static void gadget_change(struct hub *hub, struct gadget *g, struct gadget *new)
 {
 	list_add_tail_rcu(&new->node, &hub->gadgets);
 	list_del_rcu(&g->node);
 	kfree_rcu(g, rcu);
 }
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("include/linux/rculist.h list_del_rcu()", "Documentation/RCU/checklist.rst item 4c"),
    why="""list_del_rcu() keeps the next pointer of an entry for its readers and poisons the prev pointer;
    list_add_rcu() does not order the store to prev either.""",
    instead="Walk forwards with the _rcu iterator, or walk backwards under the update lock.",
    bad=(REVERSE, ONE_BACK),
    good=(LOCKED,),
    blind_spots=(NO_SECTION,),
    replaces=("rcu-primitive-dropped",),
)
def prev_walk_of_rculist(code: Code) -> Iterator[Hit]:
    """A reader follows the prev pointers of a list that entries are removed from by RCU's rules."""
    for function in code.facts.in_focus:
        for number, step, protection in _backwards(code, function):
            held = function.held[number]
            removals = protection.of(FactKind.UNLINK, rcu=True)
            if not held.reading or held.ever(_LOCKS) or held_by_caller(code.facts, function):
                continue
            if removals and not any("bidir" in removal.name for removal in removals):
                yield hit_at(
                    function,
                    step,
                    str(protection.node),
                    f"{step.name}() in a reader, and {removals[0].name}() poisons the prev pointer",
                    (step_evidence(Role.READER, function, step), removals[0].evidence(Role.REMOVE)),
                    question="Can an entry be removed while the reader stands on it?",
                    cure="If so: walk forwards, or take the update lock.",
                )


def _backwards(code: Code, function: Function) -> Iterator[tuple[int, Step, ListProtection]]:
    """The steps that follow a prev pointer, each with the list that it is of."""
    for fact in code.facts.facts(function):
        if fact.kind is FactKind.WALK and fact.name in _WALKS:
            protection = code.facts.list_of(fact)
            if protection is not None and fact.head != NOWHERE and fact.head in protection.rcu_heads:
                yield fact.step, function.flow.steps[fact.step], protection
    for number, step in enumerate(function.flow.steps):
        places = _STEPS.get(step.name)
        if places is None or len(step.args) <= places[1]:
            continue
        owner = function.variables.get(step.args[places[0]], UNKNOWN)
        protection = code.facts.lists.get(Key(owner, step.args[places[1]]))
        if protection is not None and protection.rcu_heads and not protection.plain_heads:
            yield number, step, protection
