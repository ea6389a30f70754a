"""free-without-grace-period: unlinked by RCU's rules, and freed while readers may still be using it."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact
from bot.code.lifetime import Freed
from bot.code.removal import retirements, unlinks
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, Excused, free_without_wait, hit, rule, who_publishes_and_reads

LIST = Example(
    "kfree() right behind list_del_rcu()",
    """\
 struct port { struct list_head node; };
 struct bridge { spinlock_t lock; struct list_head ports; };

 static void port_remove(struct bridge *br, struct port *p)
 {
 	spin_lock(&br->lock);
-	list_del(&p->node);
+	list_del_rcu(&p->node); // <-- warns
 	spin_unlock(&br->lock);
 	kfree(p);
 }
""",
)

POINTER = Example(
    "the old filter is freed as soon as the new one is published",
    """\
 struct filter { int nr; };
 struct vm { struct mutex lock; struct filter __rcu *filter; };

+static void filter_set(struct vm *vm, struct filter *new)
+{
+	struct filter *old;
+	mutex_lock(&vm->lock);
+	old = rcu_dereference_protected(vm->filter, lockdep_is_held(&vm->lock));
+	rcu_assign_pointer(vm->filter, new); // <-- warns
+	mutex_unlock(&vm->lock);
+	kfree(old);
+}
""",
)

REPLACED = Example(
    "what rcu_replace_pointer() returns is freed by a helper",
    """\
 struct filter { void *map; };
 struct vm { struct mutex lock; struct filter __rcu *filter; };

 static void filter_free(struct filter *f) { kvfree(f->map); kfree(f); }

 static void filter_set(struct vm *vm, struct filter *new)
 {
 	mutex_lock(&vm->lock);
 	new = rcu_replace_pointer(vm->filter, new, lockdep_is_held(&vm->lock)); // <-- warns
 	mutex_unlock(&vm->lock);
+	filter_free(new);
 }
""",
)

WAITS = Example(
    "a grace period, also inside a callee or behind an alias",
    """\
 struct port { struct list_head node; struct list_head spare; struct rcu_head rcu; };
 struct bridge { spinlock_t lock; struct list_head ports; struct port __rcu *first; };

+static void settle(void)
+{
+	synchronize_net();
+}
+
+static void port_remove(struct bridge *br, struct port *p)
+{
+	list_del_rcu(&p->node);
+	settle();
+	kfree(p);
+}
+
+static void port_remove_later(struct bridge *br, struct port *p)
+{
+	list_del_rcu(&p->node);
+	kfree_rcu(p, rcu);
+}
+
+static int port_swap(struct bridge *br, struct port *new)
+{
+	struct port *old = rcu_dereference_protected(br->first, 1);
+	if (!new)
+		goto out;
+	rcu_assign_pointer(br->first, new);
+	synchronize_rcu();
+	new = old;
+out:
+	kfree(new);
+	return 0;
+}
""",
)

NO_READER = Example(
    "an object that was never published; a free on the way where no reader is left",
    """\
 struct port { struct list_head node; };
 struct bridge { struct list_head ports; };

+static int port_make(struct bridge *br)
+{
+	struct port *p = kzalloc(sizeof(*p), GFP_KERNEL);
+	if (!p)
+		return -ENOMEM;
+	if (port_setup(p)) {
+		kfree(p);
+		return -EINVAL;
+	}
+	list_add_rcu(&p->node, &br->ports);
+	return 0;
+}
+
 struct port { struct list_head node; struct rcu_head rcu; };
 struct bridge { struct list_head ports; bool dying; };

+static void port_remove(struct bridge *br, struct port *p)
+{
+	list_del_rcu(&p->node);
+	if (!br->dying)
+		kfree_rcu(p, rcu);
+	else
+		kfree(p);
+}
""",
)

LAST_PUT = Example(
    "readers take a reference with kref_get_unless_zero() and drop it: the last put frees",
    """\
 struct port { struct list_head node; struct kref ref; };
 struct bridge { struct list_head ports; };

+static void port_remove(struct bridge *br, struct port *p)
+{
+	list_del_rcu(&p->node);
+	kref_put(&p->ref, port_release);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 14", "include/linux/rculist.h list_del_rcu()"),
    why="Unlinking stops new readers; those that found the object before use it until a grace period has passed.",
    instead="""kfree_rcu(), call_rcu() or, where sleeping is fine, synchronize_rcu() between unlinking and freeing; for
    objects that SRCU readers use, the forms with the srcu_struct.""",
    replaces_anywhere=("half-converted-rculist",),
    bad=(LIST, POINTER, REPLACED),
    good=(WAITS, NO_READER),
    blind_spots=(LAST_PUT,),
)
def free_without_grace_period(code: Code) -> Iterator[Hit | Excused]:
    """An object is unlinked by RCU's rules and then freed with no grace period between."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=True):
        shown = who_publishes_and_reads(unlink.protection)
        yield from _freed(code, unlink.fact, unlink.fact.variable, str(unlink.head), unlink.excuse, shown)
    for retired in retirements(code.facts):
        fact, pointer = retired.fact, retired.protection
        if not code.lifetime.owner_private(fact):
            excuse = code.lifetime.excuse(fact.where, fact)
            yield from _freed(code, fact, retired.old, str(pointer.field), excuse, pointer.who_reads())


def _freed(
    code: Code, removal: Fact, variable: str, subject: str, excuse: str, shown: tuple[Evidence, ...]
) -> Iterator[Hit | Excused]:
    function = removal.where
    freed = next(code.lifetime.freed(function, removal.step, variable), None)
    if freed is None or code.lifetime.defers_elsewhere(function, removal.step, variable):
        return
    if excuse:
        yield Excused(subject, removal.evidence(Role.EXCUSED, excuse), excuse)
    else:
        yield _warning(removal, subject, variable, freed, shown)


def _warning(fact: Fact, subject: str, variable: str, freed: Freed, readers: tuple[Evidence, ...]) -> Hit:
    return hit(
        fact,
        subject,
        f"{variable} of {subject} is freed with no grace period after {fact.name}()",
        (*readers, fact.evidence(Role.REMOVE), *free_without_wait(fact, freed)),
        question=f"What makes sure that no reader still holds {variable} at line {freed.line}?",
        cure="If nothing does: kfree_rcu() or call_rcu(), or synchronize_rcu() before the free.",
        confidence=0.6 if freed.callee else None,
    )
