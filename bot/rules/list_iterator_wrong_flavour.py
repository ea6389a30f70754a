"""list-iterator-wrong-flavour: an RCU list walk inside an SRCU section, without saying so."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Fact, FactKind
from bot.code.flow import Step
from bot.code.inside import opened
from bot.code.vocabulary import RCU, SRCU
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule, step_evidence

PLAIN = Example(
    "the iterator asks lockdep for an RCU section",
    """\
 static void hub_notify(struct hub *hub)
 {
 	struct notifier *n;
 	int idx;

 	idx = srcu_read_lock(&hub->track_srcu);
+	hlist_for_each_entry_rcu(n, &hub->notifiers, node) // <-- warns
+		n->call(n);
 	srcu_read_unlock(&hub->track_srcu, idx);
 }
""",
)

SAID = Example(
    "the SRCU form, a stated condition, and both sections",
    """\
+static void hub_notify(struct hub *hub)
+{
+	struct notifier *n;
+	int idx;
+
+	idx = srcu_read_lock(&hub->track_srcu);
+	hlist_for_each_entry_srcu(n, &hub->notifiers, node, srcu_read_lock_held(&hub->track_srcu))
+		n->call(n);
+	hlist_for_each_entry_rcu(n, &hub->notifiers, node, srcu_read_lock_held(&hub->track_srcu))
+		n->call(n);
+	rcu_read_lock();
+	list_for_each_entry_rcu(n, &hub->others, link)
+		n->call(n);
+	rcu_read_unlock();
+	srcu_read_unlock(&hub->track_srcu, idx);
+}
""",
)


@rule(
    level=Level.NOTE,
    confidence=0.85,
    sources=("include/linux/rculist.h list_for_each_entry_srcu()", "Documentation/RCU/lockdep.rst"),
    why="""With CONFIG_PROVE_RCU_LIST the walk complains of a missing RCU section, though the SRCU section protects it.
    A warning that cries wolf hides the one that does not.""",
    instead="Use list_for_each_entry_srcu() or give the condition srcu_read_lock_held(&domain).",
    bad=(PLAIN,),
    good=(SAID,),
    hunk_proves=True,
)
def list_iterator_wrong_flavour(code: Code) -> Iterator[Hit]:
    """An RCU list iterator that only an SRCU section protects."""
    for fact in code.facts.all_facts:
        if fact.kind is not FactKind.WALK or fact.flavour != RCU or fact.value:
            continue
        if "for_each" not in fact.name or fact.name.endswith("_lockless"):
            continue
        held = fact.where.held[fact.step]
        if any(lock.kind != SRCU for state in held.states for lock, count in state if count > 0):
            continue
        found = opened(code.facts, fact.where, fact.step, (SRCU,))
        if found and not held_by_caller(code.facts, fact.where):
            yield _warning(fact, fact.where.flow.steps[found[1]], found[0].what)


def _warning(fact: Fact, opener: Step, domain: str) -> Hit:
    return hit(
        fact,
        str(fact.head) or fact.name,
        f"{fact.name}() asks lockdep for an RCU section; {opener.name}() protects it",
        (step_evidence(Role.LOCK, fact.where, opener), fact.evidence(Role.READER)),
        cure=f"Use the _srcu iterator, or the condition srcu_read_lock_held({domain}).",
    )
