"""wrong-dereference-flavour: an accessor of one RCU flavour inside a section of another."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened
from bot.code.vocabulary import MUTEX, RCU_BH, READ_SIDE, RWLOCK, RWSEM, SEQ, SPIN, SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCKS = frozenset({MUTEX, RWLOCK, RWSEM, SEQ, SPIN})
_ACCESSORS = {"rcu_dereference": frozenset({SRCU, RCU_BH}), "rcu_dereference_bh": frozenset({SRCU})}
_RIGHT = {SRCU: "srcu_dereference()", RCU_BH: "rcu_dereference_bh()"}

IN_SRCU = Example(
    "rcu_dereference() inside an SRCU section",
    """\
 static int hub_route(struct hub *hub, int pin)
 {
 	struct table *t;
 	int idx, ret = 0;

 	idx = srcu_read_lock(&hub->irq_srcu);
-	t = srcu_dereference(hub->table, &hub->irq_srcu);
+	t = rcu_dereference(hub->table); // <-- warns
 	if (t)
 		ret = t->target[pin];
 	srcu_read_unlock(&hub->irq_srcu, idx);
 	return ret;
 }
""",
)

IN_BH = Example(
    "rcu_dereference() inside rcu_read_lock_bh()",
    """\
 static int hub_first_state(struct hub *hub)
 {
 	int state;

+	rcu_read_lock_bh();
+	state = rcu_dereference(hub->first)->state; // <-- warns
+	rcu_read_unlock_bh();
 	return state;
 }
""",
)

MATCHED = Example(
    "both flavours held, the raw accessor, a stated condition, and a lock",
    """\
+static int hub_route(struct hub *hub, int pin)
+{
+	struct table *t, *u, *v, *w;
+	int idx, ret = 0;
+
+	idx = srcu_read_lock(&hub->srcu);
+	t = srcu_dereference(hub->table, &hub->srcu);
+	u = rcu_dereference_raw(hub->real_mode_table);
+	v = rcu_dereference_check(hub->old, srcu_read_lock_held(&hub->srcu));
+	rcu_read_lock();
+	w = rcu_dereference(hub->first);
+	if (t && u && v && w)
+		ret = t->target[pin];
+	rcu_read_unlock();
+	mutex_lock(&hub->lock);
+	w = rcu_dereference(hub->first);
+	mutex_unlock(&hub->lock);
+	srcu_read_unlock(&hub->srcu, idx);
+	return ret;
+}
""",
)

CALLER_TOO = Example(
    "the caller is an RCU reader as well",
    """\
+int hub_state(struct hub *hub)
+{
+	guard(srcu)(&hub->srcu);
+	return rcu_dereference(hub->first)->state; // <-- warns
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 13", "Documentation/RCU/lockdep.rst"),
    why="""The accessor asks lockdep for a section of its own flavour, and complains inside any other.  It also tells
    the reader of the code which grace period the updater has to wait for.""",
    instead="Use the accessor of the section's flavour: srcu_dereference(p, &domain), rcu_dereference_bh(p).",
    bad=(IN_SRCU, IN_BH),
    good=(MATCHED,),
    blind_spots=(CALLER_TOO,),
    hunk_proves=True,
)
def wrong_dereference_flavour(code: Code) -> Iterator[Hit]:
    """An RCU accessor inside a read-side section that only another flavour protects."""
    for function in code.facts.in_focus:
        for number, step in enumerate(function.flow.steps):
            wrong = _ACCESSORS.get(step.name) if step.kind is StepKind.CALL else None
            held = function.held[number]
            if not wrong or held.ever(_LOCKS) or held.ever(READ_SIDE - wrong):
                continue
            found = opened(code.facts, function, number, wrong)
            if found and not held_by_caller(code.facts, function):
                yield _warning(function, step, function.flow.steps[found[1]], found[0].kind)


def _warning(function: Function, step: Step, opener: Step, flavour: str) -> Hit:
    return hit_at(
        function,
        step,
        step.args[0] if step.args else step.name,
        f"{step.name}() inside a section that {opener.name}() opens",
        (step_evidence(Role.LOCK, function, opener), step_evidence(Role.READER, function, step)),
        question="Is there an RCU section around it as well?",
        cure=f"If not: {_RIGHT[flavour]}.",
    )
