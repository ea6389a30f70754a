"""callback-lock-not-bh-safe: an RCU callback takes a lock that process context takes with softirqs on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.code.callbacks import Queued, queued
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.structs import Key
from bot.code.vocabulary import IRQ, PREEMPT, RCU_BH
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_SAFE_HERE = frozenset({IRQ, PREEMPT, RCU_BH})
_SOFT = ("_bh", "irq", "softirq", "tasklet", "timer", "napi")  # words of code that is not in process context

PLAIN = Example(
    "the callback starts to take the lock",
    """\
 struct hub { spinlock_t lock; int count; };
 struct gadget { struct hub *hub; struct rcu_head rcu; };

 static void gadget_free_rcu(struct rcu_head *head)
 {
 	struct gadget *g = container_of(head, struct gadget, rcu);
 	struct hub *hub = g->hub;

+	spin_lock(&hub->lock);
+	hub->count--;
+	spin_unlock(&hub->lock);
 	kfree(g);
 }

 static void gadget_retire(struct gadget *g)
 {
 	call_rcu(&g->rcu, gadget_free_rcu);
 }

 int hub_ioctl(struct hub *hub, int add)
 {
 	mutex_lock(&hub->mutex);
 	spin_lock(&hub->lock); // <-- warns
 	hub->count += add;
 	spin_unlock(&hub->lock);
 	mutex_unlock(&hub->mutex);
 	return 0;
 }
""",
)

SAFE = Example(
    "bottom halves or interrupts are off elsewhere, or nothing says that elsewhere may be interrupted",
    """\
 struct hub { spinlock_t lock; spinlock_t other; int count; };
 struct gadget { struct hub *hub; struct rcu_head rcu; };

+static void gadget_free_rcu(struct rcu_head *head)
+{
+	struct gadget *g = container_of(head, struct gadget, rcu);
+	struct hub *hub = g->hub;
+
+	spin_lock(&hub->lock);
+	hub->count--;
+	spin_unlock(&hub->lock);
+	kfree(g);
+}
+
+static void gadget_retire(struct gadget *g)
+{
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
+
+int hub_ioctl(struct hub *hub, int add)
+{
+	mutex_lock(&hub->mutex);
+	spin_lock_bh(&hub->lock);
+	hub->count += add;
+	spin_unlock_bh(&hub->lock);
+	spin_lock(&hub->other);
+	spin_unlock(&hub->other);
+	mutex_unlock(&hub->mutex);
+	return 0;
+}
+
+int hub_settle(struct hub *hub)
+{
+	mutex_lock(&hub->mutex);
+	local_bh_disable();
+	spin_lock(&hub->lock);
+	spin_unlock(&hub->lock);
+	local_bh_enable();
+	mutex_unlock(&hub->mutex);
+	return 0;
+}
+
+static void hub_poll(struct hub *hub)
+{
+	spin_lock(&hub->lock);
+	hub->count = 0;
+	spin_unlock(&hub->lock);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 11",),
    why="""RCU callbacks run in softirq context.  One that interrupts the owner of the lock on the same CPU spins for
    ever.""",
    instead="Take the lock with spin_lock_bh() in process context.",
    bad=(PLAIN,),
    good=(SAFE,),
)
def callback_lock_not_bh_safe(code: Code) -> Iterator[Hit]:
    """A lock that an RCU callback takes is taken in process context with bottom halves on."""
    taken = _taken_by_callbacks(code)
    for function in code.facts.functions if taken else ():
        if any(mark in word for word in function.words for mark in _SOFT):
            continue
        for number, step in enumerate(function.flow.steps):
            place = taken.get(key) if (key := _plain_lock(code, function, step)) else None
            # A sleeping lock around it proves process context.
            if place is None or not _process(function, number) or function.held[number].ever(_SAFE_HERE):
                continue
            yield _warning(function, step, place)


def _taken_by_callbacks(code: Code) -> Mapping[Key, tuple[Queued, Function, Step]]:
    """The locks that callbacks take, with the callback and the step."""
    found: dict[Key, tuple[Queued, Function, Step]] = {}
    for place in queued(code.facts):
        callback = code.facts.defined(place.callback, place.where.path)
        for step in callback.flow.steps if callback and not place.srcu else ():
            key = _plain_lock(code, callback, step) if callback else None
            if key and callback:
                found.setdefault(key, (place, callback, step))
    return found


def _plain_lock(code: Code, function: Function, step: Step) -> Key | None:
    if step.kind is not StepKind.CALL or step.name != "spin_lock" or not step.args:
        return None
    key = code.facts.structs.resolve(step.args[0], function.variables, function.aliases)
    return key if key.known else None


def _process(function: Function, number: int) -> bool:
    return bool(function.held[number].always(("mutex", "rwsem")))


def _warning(function: Function, step: Step, place: tuple[Queued, Function, Step]) -> Hit:
    queue, callback, lock = place
    return hit_at(
        function,
        step,
        step.args[0],
        f"spin_lock() with softirqs on; {callback.name}(), an RCU callback, takes the same lock",
        (
            step_evidence(Role.LOCK, function, step),
            step_evidence(Role.LOCK, callback, lock),
            step_evidence(Role.NOTE, queue.where, queue.step),
        ),
        question="Can the callback interrupt this section?",
        cure="If so: spin_lock_bh() here.",
    )
