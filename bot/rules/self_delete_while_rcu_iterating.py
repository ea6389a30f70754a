"""self-delete-while-rcu-iterating: the walk goes on from a node that it has just freed."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code import vocabulary as words
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.removal import unlinks
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule

LIST = Example(
    "the entry is unlinked and freed, and the iterator reads its next pointer",
    """\
 struct gadget { struct list_head node; bool idle; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void hub_forget_idle(struct hub *hub)
 {
 	struct gadget *g;

 	spin_lock(&hub->lock);
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		if (!g->idle)
+			continue;
+		list_del_rcu(&g->node);
+		kfree(g); // <-- warns
+	}
 	spin_unlock(&hub->lock);
 }
""",
)

WAITED = Example(
    "a grace period before the free protects the other readers, not this walk",
    """\
 struct gadget { struct hlist_node node; };
 struct hub { struct mutex lock; struct hlist_head gadgets; };

 static void hub_settle(void)
 {
 	synchronize_rcu();
 }

 static void hub_forget(struct hub *hub)
 {
 	struct gadget *g;

+	hlist_for_each_entry_rcu(g, &hub->gadgets, node) {
+		hlist_del_rcu(&g->node);
+		hub_settle();
+		kfree(g); // <-- warns
+	}
 }
""",
)

DEFERRED = Example(
    "kfree_rcu() inside the section",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

+static void hub_forget(struct hub *hub)
+{
+	struct gadget *g;
+
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		spin_lock(&hub->lock);
+		list_del_rcu(&g->node);
+		spin_unlock(&hub->lock);
+		kfree_rcu(g, rcu);
+	}
+	rcu_read_unlock();
+}
""",
)

SLEEPS = Example(
    "kfree_rcu() with one argument may wait, so nothing holds the entry for the walk",
    """\
 struct gadget { struct list_head node; };

+static void hub_forget(struct list_head *gadgets)
+{
+	struct gadget *g;
+	list_for_each_entry_rcu(g, gadgets, node) {
+		list_del_rcu(&g->node);
+		kfree_rcu(g); // <-- warns
+	}
+}
""",
)

LEAVES = Example(
    "the walk ends at the entry that goes",
    """\
 struct gadget { struct list_head node; int id; };
 struct hub { struct mutex lock; struct list_head gadgets; };

+static void hub_forget(struct hub *hub, int id)
+{
+	struct gadget *g;
+
+	mutex_lock(&hub->lock);
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		if (g->id == id) {
+			list_del_rcu(&g->node);
+			synchronize_rcu();
+			kfree(g);
+			break;
+		}
+	}
+	mutex_unlock(&hub->lock);
+}
""",
)

CALLED_BACK = Example(
    "the callback of call_rcu() may run before the walk goes on, where nothing is held",
    """\
 struct gadget { struct list_head node; struct rcu_head rcu; };
 struct hub { struct list_head gadgets; };

+static void hub_forget(struct hub *hub)
+{
+	struct gadget *g;
+
+	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		list_del_rcu(&g->node);
+		call_rcu(&g->rcu, gadget_free);
+	}
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("include/linux/rculist.h list_for_each_entry_rcu()", "Documentation/RCU/checklist.rst item 14"),
    why="""The _rcu iterators load the next pointer from the entry after the body has run; there is no _safe form.  An
    entry that the body frees is read once more, whether or not a grace period passed before the free.  Outside of a
    section a grace period may end at once: kfree_rcu() frees the entry, too, where a mutex is held or it may wait.""",
    instead="""Under the update lock, walk with list_for_each_entry_safe(), which holds the next entry already.  Under
    rcu_read_lock(), free with kfree_rcu() or call_rcu().""",
    bad=(LIST, WAITED, SLEEPS),
    good=(DEFERRED, LEAVES),
    blind_spots=(CALLED_BACK,),
    replaces=("free-without-grace-period", "plain-del-on-rculist", "del-init-on-rculist"),
    hunk_proves=True,
)
def self_delete_while_rcu_iterating(code: Code) -> Iterator[Hit]:
    """An RCU walk frees the entry that it stands on, and goes on from there."""
    subjects = {
        (unlink.fact.where, unlink.fact.variable): str(unlink.head)
        for rcu in (True, False)
        for unlink in unlinks(code.facts, code.lifetime, rcu=rcu)
    }
    for function in code.facts.in_focus:
        for walk, freed in _freed_and_followed(code, function):
            subject = subjects.get((function, walk.variable), str(walk.head))
            yield hit(
                freed,
                subject,
                f"{freed.name}() of {walk.variable}, from which {walk.name}() goes on",
                (walk.evidence(Role.READER), freed.evidence(Role.FREE)),
                question=f"What does the walk read next, once {walk.variable} is freed?",
                cure="list_for_each_entry_safe() under the update lock, or kfree_rcu() under rcu_read_lock().",
            )


def _freed_and_followed(code: Code, function: Function) -> Iterator[tuple[Fact, Fact]]:
    """RCU walks with a free of their own cursor, from which the walk comes back for the next entry."""
    facts = code.facts.facts(function)
    frees = [fact for fact in facts if fact.kind is FactKind.FREE and fact.value != "ops"]  # an op may only stop it
    frees += [fact for fact in facts if fact.kind is FactKind.DEFER and _may_free_at_once(function, fact)]
    for walk in facts:
        if walk.kind is not FactKind.WALK or not walk.rcu or function.flow.steps[walk.step].kind is not StepKind.WALK:
            continue
        cursor = walk.variable

        def ends(step: Step, cursor: str = cursor) -> bool:
            return step.kind is StepKind.GAP or (step.kind is StepKind.ASSIGN and step.name == cursor)

        for freed in frees:
            back = freed.variable == cursor and walk.step in function.flow.after(freed.step, ends)
            if back and walk.step in function.flow.before(freed.step, ends):
                yield walk, freed


def _may_free_at_once(function: Function, deferred: Fact) -> bool:
    """Whether a kfree_rcu() stands where no section can be: it may wait itself, or a mutex was taken on every path."""
    step = function.flow.steps[deferred.step]
    if not step.name.startswith(("kfree_rcu", "kvfree_rcu")):
        return False
    return len(step.args) == 1 or bool(function.held[deferred.step].always({words.MUTEX}))
