"""teardown-frees-at-once: everywhere else a grace period passes before such a node is freed."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.lifetime import BY_NAME, Freed
from bot.code.removal import Unlink, unlinks
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, free_without_wait, hit, rule

HOOKS = Example(
    "two ways to drop a hook wait for its readers, the teardown of the table does not",
    """\
 struct hook { struct list_head node; struct rcu_head rcu; int id; };
 struct table { struct list_head hooks; char *name; };

+static bool table_has(struct table *t, int id)
+{
+	struct hook *h;
+
+	guard(rcu)();
+	list_for_each_entry_rcu(h, &t->hooks, node)
+		if (h->id == id)
+			return true;
+	return false;
+}
+
+static void hook_drop(struct table *t, struct hook *h)
+{
+	list_del_rcu(&h->node);
+	kfree_rcu(h, rcu);
+}
+
+static void table_destroy(struct table *t)
+{
+	struct hook *h, *next;
+
+	list_for_each_entry_safe(h, next, &t->hooks, node) {
+		list_del_rcu(&h->node); // <-- warns
+		kfree(h);
+	}
+	kfree(t->name);
+}
""",
)

PLAIN = Example(
    "a plain removal says that nobody reads any more",
    """\
 struct hook { struct list_head node; struct rcu_head rcu; int id; };
 struct table { struct list_head hooks; struct kref ref; };

+static bool table_has(struct table *t, int id)
+{
+	struct hook *h;
+
+	guard(rcu)();
+	list_for_each_entry_rcu(h, &t->hooks, node)
+		if (h->id == id)
+			return true;
+	return false;
+}
+
+static void hook_drop(struct hook *h)
+{
+	list_del_rcu(&h->node);
+	kfree_rcu(h, rcu);
+}
+
+static void table_destroy(struct table *t)
+{
+	struct hook *h, *next;
+
+	list_for_each_entry_safe(h, next, &t->hooks, node) {
+		list_del(&h->node);
+		kfree(h);
+	}
+	kfree(t);
+}
""",
)

UNHOOKED = Example(
    "the caller, in another file, waits for all readers before the teardown",
    """\
 struct hook { struct list_head node; struct rcu_head rcu; int id; };
 struct table { struct list_head hooks; };

+static bool table_has(struct table *t, int id)
+{
+	struct hook *h;
+
+	guard(rcu)();
+	list_for_each_entry_rcu(h, &t->hooks, node)
+		if (h->id == id)
+			return true;
+	return false;
+}
+
+static void hook_drop(struct hook *h)
+{
+	list_del_rcu(&h->node);
+	kfree_rcu(h, rcu);
+}
+
+void table_destroy(struct table *t)
+{
+	struct hook *h, *next;
+
+	list_for_each_entry_safe(h, next, &t->hooks, node) {
+		list_del_rcu(&h->node); // <-- warns
+		kfree(h);
+	}
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 14", "include/linux/rculist.h list_del_rcu()"),
    why="""list_del_rcu() is for lists that somebody may be reading, and the other ways to drop such a node wait for
    those readers.  That a function tears down the owner of the list does not make it run after them.""",
    instead="""kfree_rcu() or call_rcu() here, too; or, where nobody can read any more, list_del(), which says so.""",
    bad=(HOOKS,),
    good=(PLAIN,),
    blind_spots=(UNHOOKED,),
    replaces=("cosmetic-rcu",),
    replaces_anywhere=("half-converted-rculist",),
)
def teardown_frees_at_once(code: Code) -> Iterator[Hit]:
    """A teardown unlinks by RCU's rules and frees at once, where all others wait for the readers."""
    found = tuple(unlinks(code.facts, code.lifetime, rcu=True))
    for unlink in found:
        fact = unlink.fact
        if unlink.excuse != BY_NAME or code.lifetime.defers_elsewhere(fact.where, fact.step, fact.variable):
            continue
        freed = next(code.lifetime.freed(fact.where, fact.step, fact.variable), None)
        waiting = [other for other in found if _waits(code, other) and other.fact.node == fact.node]
        if freed is None or freed.callee or not waiting or not fact.node.known:
            continue
        yield hit(
            fact,
            str(unlink.head),
            f"{fact.variable} of {unlink.head} is freed at once; {waiting[0].fact.function}() waits for its readers",
            (
                waiting[0].fact.evidence(Role.WAIT, "the same kind of node, freed after a grace period"),
                fact.evidence(Role.REMOVE),
                *free_without_wait(fact, freed),
            ),
            question=f"Can no reader be left when {fact.function}() runs?",
            cure="If one can: kfree_rcu() or call_rcu(). If not: list_del() says so.",
        )


def _waits(code: Code, unlink: Unlink) -> bool:
    fact = unlink.fact
    plain: Freed | None = next(code.lifetime.freed(fact.where, fact.step, fact.variable), None)
    return plain is None and code.lifetime.defers_elsewhere(fact.where, fact.step, fact.variable)
