"""rbtree-walk-in-reader: a walk over a tree that turns under it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.code.structs import LOCAL, Key
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_FIRST = re.compile(r"rb_(?:first|last)(?:_cached|_postorder)?|\w*interval_tree_iter_first")
_CHANGES = re.compile(r"rb_(?:erase|add|insert_color)(?:_cached)?|\w*interval_tree_(?:insert|remove)")
_SEQUENCE = re.compile(r"read_seq|seqcount|seqlock|seqretry|latch", re.IGNORECASE)
_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN)

WALK = Example(
    "all nodes in order, in an RCU reader",
    """\
 struct gadget { struct rb_node node; int id; };
 struct hub { spinlock_t lock; struct rb_root tree; };

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	spin_lock(&hub->lock);
 	rb_erase(&g->node, &hub->tree);
 	spin_unlock(&hub->lock);
 	kfree_rcu(g, rcu);
 }

+static int hub_count(struct hub *hub)
+{
+	struct rb_node *node;
+	int count = 0;
+
+	rcu_read_lock();
+	for (node = rb_first(&hub->tree); node; node = rb_next(node)) // <-- warns
+		count++;
+	rcu_read_unlock();
+	return count;
+}
""",
)

SAFE = Example(
    "under the lock, with a sequence count, or a tree that nobody changes",
    """\
 struct gadget { struct rb_node node; };
 struct hub { spinlock_t lock; seqcount_t seq; struct rb_root tree; struct rb_root fixed; };

 static void gadget_drop(struct hub *hub, struct gadget *g)
 {
 	rb_erase(&g->node, &hub->tree);
 	kfree_rcu(g, rcu);
 }

+static int hub_count(struct hub *hub)
+{
+	struct rb_node *node;
+	int count = 0;
+
+	rcu_read_lock();
+	spin_lock(&hub->lock);
+	for (node = rb_first(&hub->tree); node; node = rb_next(node))
+		count++;
+	spin_unlock(&hub->lock);
+	for (node = rb_first(&hub->fixed); node; node = rb_next(node))
+		count++;
+	rcu_read_unlock();
+	return count;
+}
+
+static int hub_count_again(struct hub *hub)
+{
+	struct rb_node *node;
+	unsigned int seq;
+	int count;
+
+	guard(rcu)();
+	do {
+		seq = read_seqcount_begin(&hub->seq);
+		count = 0;
+		for (node = rb_first(&hub->tree); node; node = rb_next(node))
+			count++;
+	} while (read_seqcount_retry(&hub->seq, seq));
+	return count;
+}
""",
)

COPIES = Example(
    "one of two copies is changed while readers have the other",
    """\
 struct slot { struct interval_tree_node node[2]; };
 struct slots { int idx; struct rb_root_cached tree; };
 struct vm { struct srcu_struct srcu; struct slots sets[2]; struct slots __rcu *slots; };

 static void slot_change(struct vm *vm, struct slot *s)
 {
 	struct slots *idle = vm_idle_slots(vm);

 	interval_tree_remove(&s->node[idle->idx], &idle->tree);
 	rcu_assign_pointer(vm->slots, idle);
 	synchronize_srcu(&vm->srcu);
 }

+static bool slot_known(struct vm *vm, unsigned long start)
+{
+	struct slots *slots;
+	bool found;
+	int idx;
+
+	idx = srcu_read_lock(&vm->srcu);
+	slots = srcu_dereference(vm->slots, &vm->srcu);
+	found = interval_tree_iter_first(&slots->tree, start, start);
+	srcu_read_unlock(&vm->srcu, idx);
+	return found;
+}
""",
)

BY_HAND = Example(
    "a descent by hand",
    """\
 struct gadget { struct rb_node node; int id; };
 struct hub { struct rb_root tree; };

+static bool gadget_known(struct hub *hub, int id)
+{
+	struct rb_node *node = hub->tree.rb_node;
+
+	guard(rcu)();
+	while (node && rb_entry(node, struct gadget, node)->id != id)
+		node = rb_entry(node, struct gadget, node)->id < id ? node->rb_right : node->rb_left;
+	return node != NULL;
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.55,
    sources=("Documentation/core-api/rbtree.rst", "include/linux/rbtree_latch.h"),
    why="""RCU keeps the nodes, not the shape of the tree: an insertion or removal turns subtrees over, and a walk that
    runs beside it misses nodes, or goes round.""",
    instead="The update lock, a sequence count with a second try, a latch tree, or a list beside the tree.",
    bad=(WALK,),
    good=(SAFE, COPIES),
    blind_spots=(BY_HAND,),
)
def rbtree_walk_in_reader(code: Code) -> Iterator[Hit]:
    """An RCU reader walks a red-black tree that is changed beside it."""
    walks = [found for function in code.facts.in_focus for found in _walks(code, function)]
    changed = dict(_changes(code)) if walks else {}
    for function, number, root in walks:
        step = function.flow.steps[number]
        if root in changed and not held_by_caller(code.facts, function, frozenset(_LOCKS)):
            yield hit_at(
                function,
                step,
                str(root),
                f"{step.name}() of {root} in a reader, with no lock",
                (step_evidence(Role.READER, function, step), changed[root]),
                question=f"Can {root} be changed while the reader walks it?",
                cure="If so: take the lock, or check a sequence count and start again.",
            )


def _walks(code: Code, function: Function) -> Iterator[tuple[Function, int, Key]]:
    """Where walks begin in a section of the function's own, with nothing that would notice a change."""
    if not function.sections and "guard" not in function.words:
        return
    if _SEQUENCE.search(function.text):
        return
    for number, step in enumerate(function.flow.steps):
        if step.kind is not StepKind.CALL or not _FIRST.fullmatch(step.name) or not step.args:
            continue
        root, held = _root(code, function, step.args[0]), function.held[number]
        if root is not None and held.reading and not held.ever(_LOCKS):
            yield function, number, root


def _root(code: Code, function: Function, argument: str) -> Key | None:
    """The tree, when it is known; None in a struct that is published as a whole: updaters change a copy."""
    key = code.facts.structs.resolve(argument, function.variables, function.aliases)
    return key if key.known and key.owner != LOCAL and not code.facts.structs.behind_rcu(key.owner) else None


def _changes(code: Code) -> Iterator[tuple[Key, Evidence]]:
    for function in code.facts.functions:
        for step in function.flow.steps if any(map(_CHANGES.fullmatch, function.words)) else ():
            if _CHANGES.fullmatch(step.name) and len(step.args) > 1:
                key = code.facts.structs.resolve(step.args[1], function.variables, function.aliases)
                yield key, step_evidence(Role.REMOVE, function, step)
