"""sleep-in-reader: something that may block, inside an RCU read-side critical section."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import StepKind
from bot.code.sections import Lock, lock_of
from bot.code.sleeping import NO_SLEEP, always_sleeps, may_sleep
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, hit_at, rule, step_evidence

_USER_ACCESS = frozenset({"copy_from_user", "copy_to_user", "get_user", "put_user", "clear_user", "strncpy_from_user"})

ALLOCATES = Example(
    "an allocation that may wait for memory",
    """\
 static int gadget_copy(struct hub *hub)
 {
 	struct gadget *g;
 	void *copy;
+	guard(rcu)();
 	list_for_each_entry_rcu(g, &hub->gadgets, node) {
 		copy = kmemdup(g, sizeof(*g), GFP_KERNEL); // <-- warns
 		if (!copy)
 			return -ENOMEM;
 		keep(copy);
 	}
 	return 0;
 }
""",
)

LOCKS = Example(
    "a mutex is taken",
    """\
 static void gadget_reset(struct hub *hub)
 {
 	struct gadget *g;
 	rcu_read_lock();
 	list_for_each_entry_rcu(g, &hub->gadgets, node) {
+		mutex_lock(&g->lock); // <-- warns
 		g->state = 0;
+		mutex_unlock(&g->lock);
 	}
 	rcu_read_unlock();
 }
""",
)

CALLEE = Example(
    "a callee that always sleeps",
    """\
 static void gadget_settle(struct gadget *g)
 {
 	msleep(10);
 	g->state = 0;
 }

 static void gadget_reset(struct hub *hub)
 {
 	struct gadget *g;
 	rcu_read_lock();
 	list_for_each_entry_rcu(g, &hub->gadgets, node)
-		g->state = 0;
+		gadget_settle(g); // <-- warns
 	rcu_read_unlock();
 }
""",
)

ALLOWED = Example(
    "SRCU, atomic allocations, sections that have ended, user memory with page faults switched off",
    """\
+static int gadget_visit(struct hub *hub, void __user *to)
+{
+	struct gadget *g;
+	int idx, ret = 0;
+	idx = srcu_read_lock(&hub->srcu);
+	mutex_lock(&hub->lock);
+	mutex_unlock(&hub->lock);
+	srcu_read_unlock(&hub->srcu, idx);
+	scoped_guard(rcu) {
+		g = rcu_dereference(hub->first);
+		if (g)
+			ret = g->state;
+		keep(kmalloc(8, GFP_ATOMIC));
+		keep(kmalloc(8, GFP_NOWAIT));
+	}
+	if (copy_to_user(to, &ret, sizeof(ret)))
+		return -EFAULT;
+
+	rcu_read_lock();
+	if (!rcu_dereference(hub->first)) {
+		rcu_read_unlock();
+		mutex_lock(&hub->lock);
+		mutex_unlock(&hub->lock);
+		rcu_read_lock();
+	}
+	rcu_read_unlock();
+	return ret;
+}
+
+static int gadget_peek(int __user *from)
+{
+	int value, ret;
+
+	rcu_read_lock();
+	pagefault_disable();
+	ret = get_user(value, from);
+	pagefault_enable();
+	rcu_read_unlock();
+	return ret ? ret : value;
+}
""",
)

UNREACHABLE = Example(
    "a flag that the caller sets only outside of sections",
    """\
+static void gadget_flush(struct hub *hub, bool may_sleep)
+{
+	rcu_read_lock();
+	if (may_sleep)
+		flush_work(&hub->work); // <-- warns
+	rcu_read_unlock();
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 13",),
    why="""An RCU reader must not block: without preemptible RCU the grace period ends when the CPU schedules, under the
    reader's feet; with it, the kernel warns, and grace periods wait for the sleeper.""",
    instead="Sleep before or after the section, take a reference and leave it first, or use SRCU.",
    bad=(ALLOCATES, LOCKS, CALLEE),
    good=(ALLOWED,),
    blind_spots=(UNREACHABLE,),
    hunk_proves=True,
)
def sleep_in_reader(code: Code) -> Iterator[Hit]:
    """A call that may block, inside an RCU read-side critical section."""
    for function in code.facts.in_focus:
        faultless = "pagefault_disable" in function.words
        for fact in code.facts.facts(function):
            if fact.kind is not FactKind.SLEEP or (faultless and fact.name in _USER_ACCESS):
                continue
            sections = function.held[fact.step].always(NO_SLEEP)
            if sections:
                yield _warning(fact, sections[0])
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or not function.held[number].always(NO_SLEEP):
                continue
            sleep = always_sleeps(code.facts, function, step) or may_sleep(code.facts, function, step)
            if sleep is not None:
                yield _callee(function, number, sleep, function.held[number].always(NO_SLEEP)[0])


def _section(function: Function, before: int, section: Lock) -> tuple[Evidence, ...]:
    """The nearest lock call above that opens the section."""
    for number in range(before, -1, -1):
        found = lock_of(function.flow.steps[number])
        if found and found[1].takes and found[0] == section:
            return (step_evidence(Role.LOCK, function, function.flow.steps[number]),)
    return ()


def _warning(fact: Fact, section: Lock) -> Hit:
    return hit(
        fact,
        fact.name,
        f"{fact.name}() may sleep inside an {section.kind} read-side section",
        (*_section(fact.where, fact.step, section), fact.evidence(Role.SLEEP)),
        question="Can this path run without sleeping?",
        cure="If not: move it out of the section, or take a reference and leave the section first.",
    )


def _callee(function: Function, number: int, sleep: Fact, section: Lock) -> Hit:
    step = function.flow.steps[number]
    evidence = (
        *_section(function, number, section),
        step_evidence(Role.USE, function, step),
        sleep.evidence(Role.SLEEP),
    )
    return hit_at(
        function,
        step,
        step.name,
        f"{step.name}() may sleep in {sleep.name}(), inside an {section.kind} read-side section",
        evidence,
        question="Can this path run without sleeping?",
        cure="If not: move the call out of the section, or take a reference and leave the section first.",
        confidence=0.6,
    )
