"""plain-del-before-deferred-free: the free waits for readers, and the removal breaks them."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.vocabulary import DEL_INITS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule

HOOKS = Example(
    "one of two removals of a hook is plain, on a list that it was handed",
    """\
 struct hook { struct list_head node; struct rcu_head rcu; };
 struct table { struct list_head hooks; };

 static void hook_drop(struct table *t, struct hook *h)
 {
 	list_del_rcu(&h->node);
 	kfree_rcu(h, rcu);
 }

 static void hooks_unregister(struct list_head *hooks, bool release)
 {
-	struct hook *h;
+	struct hook *h, *next;

-	list_for_each_entry(h, hooks, node)
+	list_for_each_entry_safe(h, next, hooks, node) {
 		hook_unregister(h);
+		if (release) {
+			list_del(&h->node); // <-- warns
+			kfree_rcu(h, rcu);
+		}
+	}
 }
""",
)

WORKLIST = Example(
    "the RCU list hangs on another member; a removal by RCU's rules came first",
    """\
 struct hook { struct list_head node; struct list_head todo; struct rcu_head rcu; };

+static void hook_forget(struct hook *h)
+{
+	list_del_rcu(&h->node);
+	list_del(&h->todo);
+	kfree_rcu(h, rcu);
+}
""",
)

PRIVATE = Example(
    "all hooks were taken to a list of the function's own, and the readers have left",
    """\
 struct hook { struct list_head node; struct rcu_head rcu; };
 struct table { struct list_head hooks; };

+static void hook_drop(struct hook *h)
+{
+	list_del_rcu(&h->node);
+	kfree_rcu(h, rcu);
+}
+
+static void hooks_drop(struct table *t)
+{
+	struct hook *h, *next;
+	LIST_HEAD(dead);
+
+	list_splice_init_rcu(&t->hooks, &dead, synchronize_rcu);
+	list_for_each_entry_safe(h, next, &dead, node) {
+		list_del(&h->node);
+		kfree_rcu(h, rcu);
+	}
+}
""",
)

MOVED = Example(
    "the list that is handed over was taken off the readers' list, and a grace period passed, in another file",
    """\
 struct hook { struct list_head node; struct rcu_head rcu; };

+static void hook_drop(struct hook *h)
+{
+	list_del_rcu(&h->node);
+	kfree_rcu(h, rcu);
+}
+
+void hooks_free(struct list_head *dead)
+{
+	struct hook *h, *next;
+
+	list_for_each_entry_safe(h, next, dead, node) {
+		list_del(&h->node); // <-- warns
+		kfree_rcu(h, rcu);
+	}
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 4c", "include/linux/rculist.h list_del_rcu()"),
    why="""A free that waits for a grace period is for readers that may still be at the node; list_del() poisons the
    next pointer that they are about to follow.  Elsewhere the same kind of node is handled by RCU's rules.""",
    instead="list_del_rcu() before kfree_rcu() or call_rcu(); or kfree(), where no reader can be.",
    bad=(HOOKS,),
    good=(WORKLIST, PRIVATE),
    blind_spots=(MOVED,),
    replaces=("half-converted-rculist",),
)
def plain_del_before_deferred_free(code: Code) -> Iterator[Hit]:
    """list_del() of a node that is then freed after a grace period, as for readers."""
    for protection in code.facts.lists.values():
        known = protection.of(FactKind.UNLINK, rcu=True) or protection.of(FactKind.WALK, rcu=True)
        for fact in protection.of(FactKind.UNLINK, rcu=False):
            # What hangs on a head that is known is the business of plain-del-on-rculist.
            head = protection.head_of(fact)
            if not known or fact.name in DEL_INITS or not fact.node.known or (head is not None and head.known):
                continue
            if _shown_to_nobody(code, fact) or not code.lifetime.defers_elsewhere(fact.where, fact.step, fact.variable):
                continue
            yield hit(
                fact,
                str(fact.node),
                f"{fact.name}() of {fact.variable}, whose free waits for readers that follow {fact.node}",
                (
                    known[0].evidence(Role.READER, "the same member, by RCU's rules"),
                    fact.evidence(Role.REMOVE),
                ),
                question=f"Can a reader stand on {fact.variable} in {fact.function}()?",
                cure="If so: list_del_rcu(). If not: what is the grace period for?",
            )


def _shown_to_nobody(code: Code, fact: Fact) -> bool:
    return code.lifetime.private(fact.where, fact) or code.lifetime.waited_before(fact)
