"""splice-onto-rculist: entries join a list that readers walk, linked by plain stores."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import FactKind
from bot.code.removal import SplicedOnto, spliced_onto
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, nothing_found, rule, step_evidence, who_publishes_and_reads

ONTO = Example(
    "a plain splice onto a live list",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static void hub_adopt(struct hub *hub, struct list_head *fresh)
+{
+	list_splice(fresh, &hub->gadgets); // <-- warns
+}
""",
)

_DUMP = """\
 struct gadget { struct list_head node; };
 struct hub { struct mutex lock; struct list_head gadgets; };

 static int hub_fill(struct sk_buff *skb, const struct hub *hub)
 {
 	struct gadget *g;

 	list_for_each_entry(g, &hub->gadgets, node)
 		put_gadget(skb, g);
 	return 0;
 }

 static int hub_get(struct sk_buff *skb, const struct nfnl_info *info)
 {
 	return hub_fill(skb, hub_lookup_rcu(info->net));
 }
"""

_TABLE = """
 static const struct nfnl_callback hub_calls[] = {
 	[HUB_GET] = {
 		.call = hub_get,
 		.type = %s,
 	},
 };
"""

_ADOPT = """
+static void hub_adopt(struct hub *hub, struct list_head *fresh)
+{
+	list_splice(fresh, &hub->gadgets);%s
+}
"""

DUMPED = Example(
    "the table of the reader says that it is called in a section",
    _DUMP + _TABLE % "NFNL_CB_RCU" + _ADOPT % " // <-- warns",
)

DUMPED_UNDER_MUTEX = Example(
    "the table of the only one who walks says that it is called under a mutex",
    _DUMP + _TABLE % "NFNL_CB_MUTEX" + _ADOPT % "",
)

YOUNG = Example(
    "the owner of the list is new: no reader can know it yet",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static struct hub *hub_make(struct list_head *fresh)
+{
+	struct hub *hub = kzalloc(sizeof(*hub), GFP_KERNEL);
+
+	if (hub)
+		list_splice_init(fresh, &hub->gadgets);
+	return hub;
+}
""",
)

HANDED = Example(
    "the head is handed in, and readers walk it elsewhere",
    """\
 struct gadget { struct list_head node; };
 struct hub { struct list_head gadgets; };

 static void hub_poke(struct hub *hub)
 {
 	struct gadget *g;

 	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
 		poke(g);
 }

+static void join(struct list_head *fresh, struct list_head *live)
+{
+	list_splice(fresh, live);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 4b", "include/linux/rculist.h list_splice_init_rcu()"),
    why="""list_splice() links the entries with plain stores, the head first: a reader can come to an entry whose own
    pointers still lead elsewhere, or see it before what it holds.""",
    instead="""list_add_tail_rcu() of each entry, taken off its private list before; where readers know that list, too,
    list_splice_init_rcu() with synchronize_rcu.""",
    bad=(ONTO, DUMPED),
    good=(YOUNG, DUMPED_UNDER_MUTEX),
    blind_spots=(HANDED,),
    replaces=("splice-or-move-on-rculist",),
)
def splice_onto_rculist(code: Code) -> Iterator[Hit]:
    """list_splice() onto a list that RCU readers walk."""
    for joined in spliced_onto(code.facts, code.lifetime, code.entries):
        fact, head = joined.fact, str(joined.head)
        if code.lifetime.stated(fact.where, fact) or (joined.way is None and _only_spelled_so_now(code, joined)):
            continue
        yield hit(
            fact,
            head,
            f"{fact.name}() links entries into {head} by plain stores, under its readers",
            (*_readers(joined), fact.evidence(Role.PUBLISH)),
            question=f"Can a reader walk {head} while {fact.function}() runs?",
            cure="If so: list_add_tail_rcu() of each entry, or list_splice_init_rcu() from a list that readers know.",
        )


def _readers(joined: SplicedOnto) -> tuple[Evidence, ...]:
    """Evidence that readers come to the list: who walks it, and in whose section."""
    if joined.walk is None or joined.way is None:
        return who_publishes_and_reads(joined.protection)
    calls = tuple(step_evidence(Role.NOTE, caller, caller.flow.steps[at]) for caller, at in joined.way.calls)
    return (nothing_found(Role.READER, joined.way.begins), *calls, joined.walk.evidence(Role.READER))


def _only_spelled_so_now(code: Code, joined: SplicedOnto) -> bool:
    """Whether all the readers walked the list before, by a plain iterator: the splice was as wrong then."""
    if code.before is None:
        return False
    plain = {
        (walk.path, walk.function, walk.head)
        for walk in code.before.facts.all_facts
        if walk.kind is FactKind.WALK and not walk.rcu
    }
    return all(
        (walk.path, walk.function, joined.head) in plain for walk in joined.protection.of(FactKind.WALK, rcu=True)
    )
