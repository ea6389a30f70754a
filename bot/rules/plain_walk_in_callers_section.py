"""plain-walk-in-callers-section: a reader that relies on its callers' section walks an RCU list plainly."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact
from bot.code.plain_walks import walks_among_reads, walks_from_section
from bot.code.protection import ListProtection
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, nothing_found, rule, step_evidence, who_publishes_and_reads

_WALKS = frozenset({"list_for_each_entry", "hlist_for_each_entry", "list_for_each_entry_continue"})

_LIST = """\
 struct gadget { struct list_head node; int index; };
 struct hub { spinlock_t lock; struct list_head gadgets; };

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	list_del_rcu(&g->node);
 	spin_unlock(&hub->lock);
 	kfree_rcu_mightsleep(g);
 }

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

"""

FAST_PATH = Example(
    "the body looks up what only a section keeps, so a section it is",
    _LIST
    + """\
+static bool hub_has_dev(struct hub *hub, struct net *net)
+{
+	struct gadget *g;
+
+	list_for_each_entry(g, &hub->gadgets, node) { // <-- warns
+		if (dev_get_by_index_rcu(net, g->index))
+			return true;
+	}
+	return false;
+}
+
+void hub_eval(struct hub *hub, struct net *net)
+{
+	if (hub_has_dev(hub, net))
+		poke_all(hub);
+}
""",
)

_HOOK = """\
+static bool hub_wants(struct hub *hub, int index)
+{
+	struct gadget *g;
+
+	list_for_each_entry(g, &hub->gadgets, node) { %s
+		if (g->index == index)
+			return true;
+	}
+	return false;
+}
+
+static unsigned int hub_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
+{
+	struct hub *hub = priv;
+%s
+	return hub_wants(hub, state->in->ifindex) ? NF_DROP : NF_ACCEPT;
+}
+
+static const struct nf_hook_ops hub_ops[] = {
+	{
+		.hook = hub_hook,
+		.pf = NFPROTO_INET,
+	},
+};
"""

HOOKED = Example(
    "a hook of netfilter runs in the section of nf_hook()",
    _LIST + _HOOK % ("// <-- warns", ""),
)

HOOKED_LOCKED = Example(
    "the hook takes the lock of the list for the whole of it",
    _LIST + _HOOK % ("", "+	guard(spinlock)(&hub->lock);\n"),
)

LOCKED = Example(
    "a caller holds the lock of the list; the reader stands behind the walk; the function is an updater",
    _LIST
    + """\
+static bool hub_has_dev(struct hub *hub, struct net *net)
+{
+	struct gadget *g;
+
+	list_for_each_entry(g, &hub->gadgets, node)
+		if (dev_get_by_index_rcu(net, g->index))
+			return true;
+	return false;
+}
+
+static void hub_check(struct hub *hub, struct net *net)
+{
+	guard(rcu)();
+	spin_lock(&hub->lock);
+	if (hub_has_dev(hub, net))
+		complain(hub);
+	spin_unlock(&hub->lock);
+}
+
+static void hub_sum(struct hub *hub, struct net *net)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	list_for_each_entry(g, &hub->gadgets, node)
+		sum += g->index;
+	report(dev_get_by_index_rcu(net, sum));
+}
+
+static void hub_report(struct hub *hub, struct net *net)
+{
+	hub_sum(hub, net);
+}
""",
)

UNSEEN = Example(
    "nobody who calls the function is in sight",
    _LIST
    + """\
+bool hub_has_dev(struct hub *hub, struct net *net)
+{
+	struct gadget *g;
+
+	list_for_each_entry(g, &hub->gadgets, node)
+		if (dev_get_by_index_rcu(net, g->index))
+			return true;
+	return false;
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("Documentation/RCU/listRCU.rst", "include/linux/rculist.h list_for_each_entry_rcu()"),
    why="""The callers' section covers the walk as it covers the lookup in its body.  list_for_each_entry() loads the
    next pointer plainly, and nothing checks that a section or the lock of the list is held.""",
    instead="list_for_each_entry_rcu(), with the lockdep condition where updaters come here, too.",
    bad=(FAST_PATH, HOOKED),
    good=(LOCKED, HOOKED_LOCKED),
    blind_spots=(UNSEEN,),
    replaces=("plain-iteration-in-reader",),
)
def plain_walk_in_callers_section(code: Code) -> Iterator[Hit]:
    """A plain walk of an RCU list in a function that runs in the section of its callers."""
    for walk, protection, reader in walks_among_reads(code.facts, _WALKS):
        yield _plain(walk, protection, (step_evidence(Role.NOTE, walk.where, reader),))
    for walk, protection, way in walks_from_section(code.facts, code.entries, _WALKS):
        calls = tuple(step_evidence(Role.NOTE, caller, caller.flow.steps[at]) for caller, at in way.calls)
        yield _plain(walk, protection, (nothing_found(Role.LOCK, way.begins), *calls))


def _plain(walk: Fact, protection: ListProtection, section: tuple[Evidence, ...]) -> Hit:
    return hit(
        walk,
        str(walk.head),
        f"{walk.name}() over {walk.head}, an RCU list",
        (*who_publishes_and_reads(protection), walk.evidence(Role.READER), *section),
        question=f"Which lock keeps {walk.head} as it is while {walk.function}() walks?",
        cure="If none does: list_for_each_entry_rcu().",
    )
