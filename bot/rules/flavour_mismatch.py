"""flavour-mismatch: readers are in one flavour of RCU, and the updater waits for another."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.inside import opened
from bot.code.protection import ListProtection, PointerProtection
from bot.code.removal import retirements, unlinks
from bot.code.vocabulary import DEFERS, RCU, RCU_BH, RCU_SCHED, READ_SIDE, SRCU
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, rule, step_evidence

_VANILLA = frozenset({RCU, RCU_BH, RCU_SCHED})  # synchronize_rcu() waits for all of them since 5.0
_FREED_BY_RCU = frozenset({"kfree_rcu", "kvfree_rcu", "kfree_rcu_mightsleep", "kvfree_rcu_mightsleep"})

DEFERRED = Example(
    "SRCU readers, and kfree_rcu()",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; int id; };
 struct hub { struct srcu_struct srcu; struct list_head gadgets; };

+static int hub_first(struct hub *hub)
+{
+	guard(srcu)(&hub->srcu);
+	return list_first_or_null_rcu(&hub->gadgets, struct gadget, node)->id;
+}
+
 static void hub_forget(struct hub *hub, struct gadget *g)
 {
 	list_del_rcu(&g->node);
 	kfree_rcu(g, rcu); // <-- warns
 }
""",
)

WAITED = Example(
    "SRCU readers of a pointer, and synchronize_rcu()",
    """\
 struct hub { struct srcu_struct srcu; struct table __rcu *table; };

 static int hub_size(struct hub *hub)
 {
 	struct table *t;
 	int idx, size;

 	idx = srcu_read_lock(&hub->srcu);
 	t = srcu_dereference(hub->table, &hub->srcu);
 	size = t->size;
 	srcu_read_unlock(&hub->srcu, idx);
 	return size;
 }

 static void hub_set(struct hub *hub, struct table *t)
 {
 	struct table *old = rcu_dereference_protected(hub->table, lockdep_is_held(&hub->lock));

 	rcu_assign_pointer(hub->table, t);
-	synchronize_srcu(&hub->srcu);
+	synchronize_rcu(); // <-- warns
 	kfree(old);
 }
""",
)

MATCHED = Example(
    "both flavours, one for the container and one for what it holds",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; int id; };
 struct hub { struct srcu_struct srcu; struct list_head gadgets, others; };

+static int hub_first(struct hub *hub)
+{
+	guard(srcu)(&hub->srcu);
+	return list_first_or_null_rcu(&hub->gadgets, struct gadget, node)->id;
+}
+
+static void hub_drop(struct hub *hub, struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	synchronize_srcu(&hub->srcu);
+	kfree_rcu(g, rcu);
+}
""",
)

BY_CALLER = Example(
    "a caller waits for the other flavour before it drops the lock that keeps the object",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; int id; };
 struct hub { struct srcu_struct srcu; struct list_head gadgets; };

 static bool hub_knows(struct hub *hub, int id)
 {
 	struct gadget *g;
 	bool found = false;
 	int idx;

 	idx = srcu_read_lock(&hub->srcu);
 	list_for_each_entry_srcu(g, &hub->gadgets, node, srcu_read_lock_held(&hub->srcu))
 		found |= g->id == id;
 	srcu_read_unlock(&hub->srcu, idx);
 	return found;
 }

+static void hub_hide(struct hub *hub, struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	kfree_rcu(g, rcu); // <-- warns
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.75,
    sources=("Documentation/RCU/checklist.rst item 7",),
    why="""A grace period waits for the readers of its own flavour.  synchronize_rcu(), call_rcu() and kfree_rcu() do
    not wait for SRCU readers, nor synchronize_srcu() for those of rcu_read_lock().""",
    instead="Wait with the flavour that the readers use: synchronize_srcu() or call_srcu() of their domain.",
    bad=(DEFERRED, WAITED),
    good=(MATCHED,),
    blind_spots=(BY_CALLER,),
    hunk_proves=True,
)
def flavour_mismatch(code: Code) -> Iterator[Hit]:
    """An object is freed after a grace period that its readers are not part of."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=True):
        if not unlink.excuse:
            yield from _mismatch(code, unlink.fact, unlink.fact.variable, unlink.protection, str(unlink.head))
    for retired in retirements(code.facts):
        yield from _mismatch(code, retired.fact, retired.old, retired.protection, str(retired.protection.field))


def _mismatch(
    code: Code, removal: Fact, variable: str, protection: ListProtection | PointerProtection, subject: str
) -> Iterator[Hit]:
    waits = list(_waits(code, removal, variable))
    if not waits or len({flavour for _, flavour in waits}) > 1:
        return
    wait, flavour = waits[0]
    for read in (
        () if not flavour else (*protection.of(FactKind.WALK, rcu=True), *protection.of(FactKind.READ, rcu=True))
    ):
        found = _opened_by(code, read)
        if found is not None and (found[0] == SRCU) is not (flavour == SRCU):
            yield _warning(wait, removal, read, found[1], subject)
            return


def _waits(code: Code, removal: Fact, variable: str) -> Iterator[tuple[Fact, str]]:
    """The waits and hand-overs for the object behind its removal, with their flavour; of callbacks only kfree_rcu()."""
    behind = set(removal.where.flow.after(removal.step))
    for fact in code.facts.facts(removal.where):
        if fact.step not in behind:
            continue
        if fact.kind is FactKind.WAIT and fact.name.startswith("synchronize_"):
            yield fact, SRCU if fact.flavour == SRCU else RCU
        elif fact.kind in {FactKind.WAIT, FactKind.DEFER} and not (
            fact.name in _FREED_BY_RCU and fact.variable == variable
        ):
            yield fact, ""  # by a callee or a callback, which may wait for more
        elif fact.kind is FactKind.DEFER:
            yield fact, RCU


def _opened_by(code: Code, read: Fact) -> tuple[str, Evidence] | None:
    """The one kind of section that a reader is in for certain, and what opens it."""
    held = read.where.held[read.step]
    kinds = {lock.kind for lock in held.ever(READ_SIDE)}
    locked = any(lock.kind not in READ_SIDE and count > 0 for state in held.states for lock, count in state)
    if locked or not kinds or not (kinds == {SRCU} or kinds <= _VANILLA):
        return None
    found = opened(code.facts, read.where, read.step, kinds)
    if found is None:
        return None
    kind = SRCU if found[0].kind == SRCU else RCU
    return kind, step_evidence(Role.LOCK, read.where, read.where.flow.steps[found[1]])


def _warning(wait: Fact, removal: Fact, read: Fact, section: Evidence, subject: str) -> Hit:
    what = "frees after" if wait.name in DEFERS else "waits for"
    return hit(
        wait,
        subject,
        f"{wait.name}() {what} another flavour than readers of {subject} use",
        (section, read.evidence(Role.READER), removal.evidence(Role.REMOVE), wait.evidence(Role.WAIT)),
        question="Does anything else wait for these readers before the object is freed?",
        cure="If not: wait with the flavour of the readers.",
    )
