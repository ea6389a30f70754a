"""nulls-no-restart: a lookup that was led to another chain takes its end for the end of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

_WALK = re.compile(r"hlist_nulls_for_each_entry_rcu|sk_nulls_for_each_rcu")
_CHECKS = re.compile(r"get_nulls_value|is_a_nulls")
_TRYGET = re.compile(r"\w*(?:inc_not_zero|get_unless_zero|tryget)\w*")
_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN)

LOOKUP = Example(
    "the value at the end of the chain is not compared with the chain's",
    """\
 static struct conn *conn_find(struct table *t, u32 key, unsigned int slot)
 {
 	struct hlist_nulls_node *n;
 	struct conn *c;

 	rcu_read_lock();
-begin:
 	hlist_nulls_for_each_entry_rcu(c, n, &t->chains[slot], node) { // <-- warns
 		if (c->key == key) {
 			if (!refcount_inc_not_zero(&c->users))
 				break;
 			goto out;
 		}
 	}
-	if (get_nulls_value(n) != slot)
-		goto begin;
 	c = NULL;
 out:
 	rcu_read_unlock();
 	return c;
 }
""",
)

RESTARTS = Example(
    "the restart; a walk that shows all there is; a walk under the chain's lock",
    """\
+static struct conn *conn_find(struct table *t, u32 key, unsigned int slot)
+{
+	struct hlist_nulls_node *n;
+	struct conn *c;
+
+	rcu_read_lock();
+begin:
+	hlist_nulls_for_each_entry_rcu(c, n, &t->chains[slot], node) {
+		if (c->key == key && refcount_inc_not_zero(&c->users))
+			goto out;
+	}
+	if (get_nulls_value(n) != slot)
+		goto begin;
+	c = NULL;
+out:
+	rcu_read_unlock();
+	return c;
+}
+
+static int conn_count(struct table *t, unsigned int slot)
+{
+	struct hlist_nulls_node *n;
+	struct conn *c;
+	int count = 0;
+
+	guard(rcu)();
+	hlist_nulls_for_each_entry_rcu(c, n, &t->chains[slot], node)
+		count++;
+	return count;
+}
+
+static bool conn_taken(struct table *t, u32 key, unsigned int slot)
+{
+	struct hlist_nulls_node *n;
+	struct conn *c;
+
+	guard(spinlock)(&t->lock);
+	hlist_nulls_for_each_entry_rcu(c, n, &t->chains[slot], node)
+		if (c->key == key && refcount_inc_not_zero(&c->users))
+			return true;
+	return false;
+}
""",
)

NO_REFERENCE = Example(
    "a lookup that takes no reference",
    """\
+static bool conn_known(struct table *t, u32 key, unsigned int slot)
+{
+	struct hlist_nulls_node *n;
+	struct conn *c;
+
+	guard(rcu)();
+	hlist_nulls_for_each_entry_rcu(c, n, &t->chains[slot], node)
+		if (c->key == key)
+			return true;
+	return false;
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.55,
    sources=("Documentation/RCU/rculist_nulls.rst",),
    why="""An object of a SLAB_TYPESAFE_BY_RCU cache can be freed and put on another chain while a reader stands on it.
    The reader then comes to the end of that chain, and what it looks for may well be on its own.""",
    instead="Behind the loop, compare get_nulls_value() with the slot, and start again when they differ.",
    bad=(LOOKUP,),
    good=(RESTARTS,),
    blind_spots=(NO_REFERENCE,),
)
def nulls_no_restart(code: Code) -> Iterator[Hit]:
    """A lookup on a list of nulls does not start again when it ended on another chain."""
    for function in code.facts.in_focus:
        if _CHECKS.search(function.text) or function.flow.has_gap:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.WALK or not _WALK.fullmatch(step.name):
                continue
            tries = _tries(function, number)
            if tries is None or function.held[number].ever(_LOCKS) or held_by_caller(code.facts, function):
                continue
            yield hit_at(
                function,
                step,
                step.args[0],
                f"{step.name}() ends a lookup with no look at which chain it ended on",
                (
                    step_evidence(Role.READER, function, step),
                    step_evidence(Role.USE, function, tries),
                    nothing_found(Role.NOTE, "no get_nulls_value() in the function"),
                ),
                question="Can an object move to another chain while a reader stands on it?",
                cure="If so: start again when get_nulls_value() is not the slot.",
            )


def _tries(function: Function, walk: int) -> Step | None:
    """The try for a reference on what the walk found: the mark of a lookup on recycled objects."""
    cursor = function.flow.steps[walk].args[0]
    for number in sorted(function.flow.after(walk)):
        step = function.flow.steps[number]
        if step.kind is StepKind.CALL and _TRYGET.fullmatch(step.name) and any(cursor in arg for arg in step.args):
            return step
    return None
