"""del-init-on-rculist: list_del_init() sends an RCU reader round the removed node for ever."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import FactKind
from bot.code.removal import unlinks
from bot.code.vocabulary import DEL_INITS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, Excused, hit, rule, who_publishes_and_reads

CLOSES = Example(
    "a session leaves a list that readers walk",
    """\
 struct session { struct list_head link; struct rcu_head rcu; };
 struct tunnel { spinlock_t lock; struct list_head sessions; };

 static int session_count(struct tunnel *t)
 {
 	struct session *s;
 	int n = 0;

 	rcu_read_lock();
 	list_for_each_entry_rcu(s, &t->sessions, link)
 		n++;
 	rcu_read_unlock();
 	return n;
 }

 static void session_open(struct tunnel *t, struct session *s)
 {
 	spin_lock(&t->lock);
 	list_add_rcu(&s->link, &t->sessions);
 	spin_unlock(&t->lock);
 }

+static void session_close(struct tunnel *t, struct session *s)
+{
+	spin_lock(&t->lock);
+	list_del_init(&s->link); // <-- warns
+	spin_unlock(&t->lock);
+	kfree_rcu(s, rcu);
+}
""",
)

HLIST = Example(
    "hlist_del_init() in a bucket that readers walk",
    """\
 struct rule { struct hlist_node node; u32 id; };
 static DEFINE_HASHTABLE(rules, 6);

+static bool rule_exists(u32 id)
+{
+	struct rule *r;
+
+	guard(rcu)();
+	hash_for_each_possible_rcu(rules, r, node, id)
+		if (r->id == id)
+			return true;
+	return false;
+}

 static void rule_disable(struct rule *r)
 {
 	hlist_del_init(&r->node); // <-- warns
 }
""",
)

RCU_FORM = Example(
    "the _rcu form, which leaves the next pointer alone",
    """\
 struct rule { struct hlist_node node; };
 struct table { struct hlist_head bucket; };

+static void rule_disable(struct table *t, struct rule *r)
+{
+	hlist_for_each_entry_rcu(r, &t->bucket, node)
+		break;
+	hlist_del_init_rcu(&r->node);
+	synchronize_rcu();
+}
""",
)

OTHER_LIST = Example(
    "another member of the same object, on a plain list",
    """\
 struct session { struct list_head link; struct list_head work; };
 struct tunnel { struct list_head sessions; struct list_head todo; };

+static void session_open(struct tunnel *t, struct session *s)
+{
+	list_add_rcu(&s->link, &t->sessions);
+	list_add(&s->work, &t->todo);
+}
+
+static void session_done(struct session *s)
+{
+	list_del_init(&s->work);
+}
""",
)

LOCKED_READERS = Example(
    "readers that all hold the updaters' lock, though they use the _rcu iterator",
    """\
 struct session { struct list_head link; };
 struct tunnel { struct mutex lock; struct list_head sessions; };

 static void session_walk(struct tunnel *t)
 {
 	struct session *s;

 	mutex_lock(&t->lock);
 	list_for_each_entry_rcu(s, &t->sessions, link)
 		session_poke(s);
 	mutex_unlock(&t->lock);
 }

+static void session_close(struct tunnel *t, struct session *s)
+{
+	mutex_lock(&t->lock);
+	list_del_init(&s->link); // <-- warns
+	mutex_unlock(&t->lock);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.9,
    sources=("include/linux/rculist.h list_del_rcu()", "Documentation/RCU/checklist.rst item 4c"),
    why="""list_del_init() makes the removed node point at itself.  A reader that stands on it never reaches the head of
    the list again: the CPU spins inside its read-side critical section and no grace period ever ends.""",
    instead="""Use list_del_rcu() (hlist_del_init_rcu(), hash_del_rcu()).  Where list_empty(&node) was the test for "is
    linked", keep that in a flag of its own.""",
    replaces_anywhere=("half-converted-rculist",),
    bad=(CLOSES, HLIST),
    good=(RCU_FORM, OTHER_LIST),
    blind_spots=(LOCKED_READERS,),
    hunk_proves=True,
)
def del_init_on_rculist(code: Code) -> Iterator[Hit | Excused]:
    """list_del_init() of a node that RCU readers may be standing on."""
    for unlink in unlinks(code.facts, code.lifetime, rcu=False):
        fact, head = unlink.fact, str(unlink.head)
        if fact.name not in DEL_INITS:
            continue
        if unlink.excuse:
            yield Excused(head, fact.evidence(Role.EXCUSED, unlink.excuse), unlink.excuse)
            continue
        yield hit(
            fact,
            head,
            f"{fact.name}() on {head}: a reader on the node loops for ever",
            (*who_publishes_and_reads(unlink.protection), fact.evidence(Role.REMOVE)),
            question=f"Can a reader be on {head} when {fact.function}() runs?",
            cure="If so: the _rcu form of the removal, and a flag where list_empty() of the node was asked.",
            confidence=None if unlink.protection.of(FactKind.WALK, rcu=True) else 0.75,
        )
