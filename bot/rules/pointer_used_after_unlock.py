"""pointer-used-after-unlock: what a section protected is used when the section is over."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.sections import Lock, lock_of
from bot.code.spelling import tight
from bot.code.vocabulary import LOOKUPS, READ_SIDE, READS, REFERENCE_GET, WALKS
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

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

FOUND = Example(
    "the object that a walk found is used behind the walk's section",
    """\
+static int gadget_state(struct hub *hub, int id)
+{
+	struct gadget *g, *found = NULL;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	rcu_read_unlock();
+	return g ? g->state : -ENOENT; // <-- warns
+}
""",
)

REFERENCED = Example(
    "a reference is taken first, the value is copied, or an outer section goes on",
    """\
+static int gadget_read(struct hub *hub)
+{
+	struct gadget *g;
+	int state, idx;
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	if (!g || !kref_get_unless_zero(&g->ref)) {
+		rcu_read_unlock();
+		return -ENOENT;
+	}
+	rcu_read_unlock();
+	state = g->state;
+	kref_put(&g->ref, gadget_release);
+
+	rcu_read_lock();
+	g = rcu_dereference(hub->first);
+	state += g->state;
+	rcu_read_unlock();
+	trace_gadget(state, g == NULL);
+
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
+
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
+
+	rcu_read_lock();
+	g = idr_find(&hub->gadgets, 1);
+	rcu_read_unlock();
+	return g ? g->state : 0;
+}
+
+static int gadget_peek_locked(struct hub *hub)
+{
+	struct gadget *g;
+
+	lockdep_assert_held(&hub->lock);
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
+
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
    why="""The section is all that keeps the object from being freed.  Once it is left, the pointer is just a number,
    and what it points to may be somebody else's by now.""",
    instead="Leave the section after the last use, copy the value out, or take a reference inside it.",
    bad=(SLOT, FOUND),
    good=(REFERENCED, FLAGGED, CALLER_HOLDS),
    blind_spots=(FOR_EVER,),
)
def pointer_used_after_unlock(code: Code) -> Iterator[Hit]:
    """A pointer that was looked up inside a read-side section is followed after the section's end."""
    for function in code.facts.in_focus:
        for number, variable in _loads(function):
            use = _used_outside(function, number, variable)
            if use is None or held_by_caller(code.facts, function):
                continue
            yield _warning(function, number, variable, use)
            break


def _loads(function: Function) -> Iterator[tuple[int, str]]:
    """The steps that look a pointer up inside a section of the function's own, with the variable that takes it."""
    for number, step in enumerate(function.flow.steps):
        held = function.held[number].always(READ_SIDE)
        if not held:
            continue
        if step.kind is StepKind.CALL and step.target.isidentifier() and (step.name in LOOKUPS or step.name in READS):
            yield number, step.target
        elif step.kind is StepKind.WALK and step.name in WALKS and WALKS[step.name].rcu:
            cursor = WALKS[step.name].cursor
            if cursor is not None and len(step.args) > cursor and step.args[cursor].isidentifier():
                yield number, step.args[cursor]


def _used_outside(function: Function, load: int, variable: str) -> int | None:
    """The first step that follows the pointer where no path holds anything any more."""
    flow = function.flow
    sections = function.held[load].always(READ_SIDE)
    start = load
    if len(flow.next[load]) == 1 and flow.steps[load].kind is StepKind.CALL:
        start = flow.next[load][0]  # its own assignment

    def ends(step: Step) -> bool:
        return step.kind is StepKind.GAP or _takes_anew(step, variable) or _keeps(step, variable)

    reached = sorted(flow.after(start, ends))
    if any(_keeps(flow.steps[number], variable) for number in flow.after(start)):
        return None  # some way takes a reference, and a flag may say which way was gone
    for number in reached:
        if variable in flow.steps[number].uses and number != start and not _anything_held(function, number):
            return number if sections else None
    return None


def _anything_held(function: Function, number: int) -> bool:
    return any(count for state in function.held[number].states for _, count in state)


def _takes_anew(step: Step, variable: str) -> bool:
    if step.kind is StepKind.ASSIGN:
        return step.name == variable
    if step.kind is StepKind.ASSUME:
        # A flag or a null test of the pointer itself: the path on which it is null follows nothing.
        return (step.name == variable and not step.truth) or (step.name == f"!{variable}" and step.truth)
    return step.kind is StepKind.WALK and variable in step.args[:2]


def _keeps(step: Step, variable: str) -> bool:
    """Whether a call may take a reference to the object, or hands it to somebody who is to look after it."""
    if step.kind is not StepKind.CALL:
        return False
    touched = any(
        tight(arg).lstrip("&(").startswith((f"{variable}->", f"{variable})")) or arg == variable for arg in step.args
    )
    return touched and (bool(REFERENCE_GET.search(step.name)) or "lock" in step.name)


def _warning(function: Function, load: int, variable: str, use: int) -> Hit:
    flow = function.flow
    taken, followed = flow.steps[load], flow.steps[use]
    section = function.held[load].always(READ_SIDE)[0]
    left = _left_at(function, load, use, section)
    evidence: list[Evidence] = [step_evidence(Role.READER, function, taken)]
    if left is not None:
        evidence.append(step_evidence(Role.UNLOCK, function, flow.steps[left]))
    evidence.append(step_evidence(Role.USE, function, followed))
    return hit_at(
        function,
        followed,
        variable,
        f"{variable} is followed after the {section.kind} section that protects it",
        tuple(evidence),
        question=f"What keeps {variable} from being freed at line {function.file_line(followed.line)}?",
        cure="If nothing does: use it inside the section, or take a reference there.",
    )


def _left_at(function: Function, load: int, use: int, section: Lock) -> int | None:
    """The unlock between the two steps."""
    before = set(function.flow.before(use))
    for number in sorted(set(function.flow.after(load)) & before):
        found = lock_of(function.flow.steps[number])
        if found and not found[1].takes and found[0].kind == section.kind:
            return number
    return None
