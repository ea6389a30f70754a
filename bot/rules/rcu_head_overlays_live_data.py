"""rcu-head-overlays-live-data: the rcu_head shares its memory with a list node that readers still follow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.protection import ListProtection
from bot.code.vocabulary import deferred_argument
from bot.model import Evidence, Hit, Image, Level, Role
from bot.rule import Code, Example, hit, rule

_UNION = re.compile(r"\bunion\s*+\{([^{}]{0,600})\}\s*+;")
_HEAD = re.compile(r"\bstruct\s++(?:rcu_head|callback_head)\s++(\w++)\s*+;")
_NODE = re.compile(r"\bstruct\s++(?:hlist_node|list_head|hlist_nulls_node)\s++(\w++)\s*+;")

SHARED = Example(
    "call_rcu() writes where readers of the list still read",
    """\
 struct gadget {
 	int id;
-	struct hlist_node node;
+	union {
+		struct hlist_node node;
+		struct rcu_head rcu;
+	};
 };

 static struct gadget *gadget_find(struct hub *hub, int id)
 {
 	struct gadget *g;

 	hlist_for_each_entry_rcu(g, &hub->gadgets, node, lockdep_is_held(&hub->lock)) {
 		if (g->id == id)
 			return g;
 	}
 	return NULL;
 }

 static void gadget_remove(struct hub *hub, struct gadget *g)
 {
 	lockdep_assert_held(&hub->lock);
 	hlist_del_rcu(&g->node);
-	synchronize_rcu();
-	kfree(g);
+	kfree_rcu(g, rcu); // <-- warns
 }
""",
)

WRITERS_ONLY = Example(
    "the union holds a node of a list that no reader walks",
    """\
+struct gadget {
+	int id;
+	struct hlist_node node;
+	union {
+		struct list_head idle;
+		struct rcu_head rcu;
+	};
+};
+
+static struct gadget *gadget_find(struct hub *hub, int id)
+{
+	struct gadget *g;
+
+	lockdep_assert_held(&hub->lock);
+	list_for_each_entry(g, &hub->idle, idle)
+		gadget_note(g);
+	hlist_for_each_entry_rcu(g, &hub->gadgets, node, lockdep_is_held(&hub->lock)) {
+		if (g->id == id)
+			return g;
+	}
+	return NULL;
+}
+
+static void gadget_remove(struct hub *hub, struct gadget *g)
+{
+	lockdep_assert_held(&hub->lock);
+	hlist_del_rcu(&g->node);
+	kfree_rcu(g, rcu);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 14", "include/linux/rculist.h list_del_rcu()"),
    why="""kfree_rcu() and call_rcu() write to the rcu_head at once, before the grace period.  A reader that stands on
    the unlinked node reads its next pointer from the same bytes.""",
    instead="Give the rcu_head memory of its own, or share it with what no reader looks at.",
    bad=(SHARED,),
    good=(WRITERS_ONLY,),
)
def rcu_head_overlays_live_data(code: Code) -> Iterator[Hit]:
    """An rcu_head is in a union with a list node that RCU readers follow."""
    for image in code.facts.world.images:
        for union in _UNION.finditer(image.text) if "rcu_head" in image.text else ():
            heads, nodes = _HEAD.findall(union[1]), _NODE.findall(union[1])
            for protection in code.facts.lists.values() if heads and nodes else ():
                if protection.node.member not in nodes or not _walked(protection):
                    continue
                for defer in code.facts.all_facts:
                    if defer.kind is FactKind.DEFER and _uses(code, defer, protection, heads):
                        yield _warning(defer, protection, _place(image, union.start()))


def _walked(protection: ListProtection) -> bool:
    return bool(protection.of(FactKind.WALK, rcu=True)) and protection.node.known


def _uses(code: Code, defer: Fact, protection: ListProtection, heads: list[str]) -> bool:
    """Whether a deferral writes to the rcu_head of the struct that the node is in."""
    step = defer.where.flow.steps[defer.step]
    place = deferred_argument(step.name)
    if place is None or len(step.args) <= place:
        return False
    if "free_rcu" in step.name:
        owner = defer.where.variables.get(step.args[0], "")
        return owner == protection.node.owner and len(step.args) > 1 and step.args[1] in heads
    key = code.facts.structs.resolve(step.args[place], defer.where.variables, defer.where.aliases)
    return key.owner == protection.node.owner and key.member in heads


def _place(image: Image, offset: int) -> Evidence:
    line = image.text.count("\n", 0, offset) + 1
    return Evidence(Role.DECLARE, image.path, "", image.file_line(line), "union { ... struct rcu_head ... }")


def _warning(defer: Fact, protection: ListProtection, union: Evidence) -> Hit:
    walk = protection.of(FactKind.WALK, rcu=True)[0]
    return hit(
        defer,
        str(protection.node),
        f"{defer.name}() overwrites {protection.node}, which readers still follow",
        (union, walk.evidence(Role.READER), defer.evidence(Role.FREE)),
        question="Can a reader stand on the node at that time?",
        cure="Move the rcu_head out of the union.",
    )
