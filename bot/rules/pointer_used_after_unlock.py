"""pointer-used-after-unlock: what a section protected is used when the section is over."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.escapes import followed_outside, handed_on
from bot.code.facts import Function
from bot.code.reads import called_outside, left_at
from bot.code.vocabulary import READ_SIDE
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_Use = tuple[int, str, int, tuple[Evidence, ...]]  # the step that found it, its variable, the use, where a callee does

SLOT = Example(
    "a memslot is used after the section that found it",
    """\
 static bool page_writable(struct kvm *kvm, gfn_t gfn)
 {
 	struct kvm_memory_slot *slot;
 	int idx;
 	idx = srcu_read_lock(&kvm->srcu);
 	slot = gfn_to_memslot(kvm, gfn);
+	srcu_read_unlock(&kvm->srcu, idx);
 	if (!slot)
 		return false;
+	return !(slot->flags & KVM_MEM_READONLY); // <-- warns
-	srcu_read_unlock(&kvm->srcu, idx);
-	return true;
 }
""",
)

HOOK = Example(
    "a hook is taken out of the object, and called when the section is over",
    """\
+static int hub_run(struct hub *hub)
+{
+	struct hook *h;
+	int (*run)(struct hub *hub);
+	rcu_read_lock();
+	h = rcu_dereference(hub->hook);
+	if (!h) {
+		rcu_read_unlock();
+		return -ENOENT;
+	}
+	run = h->run;
+	rcu_read_unlock();
+	return run(hub); // <-- warns
+}
""",
)

TOO_LATE = Example(
    "the reference is taken, and a callee is given the pointer, when the section is over",
    """\
+static void hub_hold(struct hub *hub, int id)
+{
+	struct gadget *g;
+	rcu_read_lock();
+	g = radix_tree_lookup(&hub->tree, id);
+	rcu_read_unlock();
+	if (g)
+		refcount_inc(&g->refs); // <-- warns
+}
+
+static void gadget_log(const struct gadget *g)
+{
+	pr_info("%s", g->name);
+}
+
+static void hub_log(struct hub *hub)
+{
+	struct gadget *g;
+	rcu_read_lock();
+	list_for_each_entry_rcu(g, &hub->gadgets, node)
+		if (g->live)
+			break;
+	rcu_read_unlock();
+	gadget_log(g); // <-- warns
+}
""",
)

COPIED = Example(
    "the value is copied, or an outer section goes on",
    """\
+static int gadget_read(struct hub *hub)
+{
+	struct gadget *g;
+	int state = 0, idx;
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	state += g->state;
+	rcu_read_unlock();
+	trace_gadget(state, g == NULL);
+	idx = srcu_read_lock(&hub->srcu);
+	rcu_read_lock();
+	g = idr_find(&hub->gadgets, state);
+	rcu_read_unlock();
+	if (g)
+		state += g->state;
+	srcu_read_unlock(&hub->srcu, idx);
+	return state;
+}
""",
)

FLAGGED = Example(
    "a flag says whether the module that owns the operations was pinned",
    """\
+static int gadget_build(struct hub *hub)
+{
+	struct gadget_ops *ops;
+	bool found = false;
+	rcu_read_lock();
+	ops = rcu_dereference(hub->ops);
+	if (ops && ops->build && try_module_get(ops->owner))
+		found = true;
+	rcu_read_unlock();
+	return found ? ops->build(hub) : -EOPNOTSUPP;
+}
""",
)

CALLER_HOLDS = Example(
    "the caller's section lasts, as the comment says",
    """\
+/* Called with hub->srcu held, which keeps the gadgets. */
+static int gadget_peek(struct hub *hub)
+{
+	struct gadget *g;
+	rcu_read_lock();
+	g = idr_find(&hub->gadgets, 1);
+	rcu_read_unlock();
+	return g ? g->state : 0;
+}
""",
)

FOR_EVER = Example(
    "an object that is never freed",
    """\
+static int gadget_default(struct hub *hub)
+{
+	struct gadget *g;
+	rcu_read_lock();
+	g = rcu_dereference(hub->builtin);
+	rcu_read_unlock();
+	return g->state; // <-- warns
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.75,
    sources=("Documentation/RCU/checklist.rst item 2", "Documentation/RCU/rcu_dereference.rst"),
    why="The section is all that keeps the object from being freed.  Once it is left, the pointer is just a number.",
    instead="Leave the section after the last use, copy the value out, or take a reference inside it.",
    bad=(SLOT, HOOK, TOO_LATE),
    good=(COPIED, FLAGGED, CALLER_HOLDS),
    blind_spots=(FOR_EVER,),
)
def pointer_used_after_unlock(code: Code) -> Iterator[Hit]:
    """A pointer that was looked up inside a read-side section is followed after the section's end."""
    for function in code.facts.in_focus:
        uses: list[_Use] = [(item.step, item.variable, use, ()) for item, use in followed_outside(code.facts, function)]
        for item, call, reached in handed_on(code.facts, function):
            uses.append((item.step, item.variable, call, (step_evidence(Role.USE, *reached),)))
        calls: list[_Use] = [(*call, ()) for call in called_outside(function)]
        for found, confidence in ((uses, None), (calls, 0.6)):
            if found and not held_by_caller(code.facts, function):
                yield _warning(function, *found[0], confidence)


def _warning(
    function: Function, load: int, variable: str, use: int, more: tuple[Evidence, ...], confidence: float | None
) -> Hit:
    flow = function.flow
    taken, followed = flow.steps[load], flow.steps[use]
    section = function.held[load].always(READ_SIDE)[0]
    left = left_at(function, load, use, section)
    evidence: list[Evidence] = [step_evidence(Role.READER, function, taken)]
    if left is not None:
        evidence.append(step_evidence(Role.UNLOCK, function, flow.steps[left]))
    evidence += (step_evidence(Role.USE, function, followed), *more)
    return hit_at(
        function,
        followed,
        variable,
        f"{variable} is followed after the {section.kind} section that protects it",
        tuple(evidence),
        question=f"What keeps {variable} from being freed at line {function.file_line(followed.line)}?",
        cure="If nothing does: use it inside the section, or take a reference there.",
        confidence=confidence,
    )
