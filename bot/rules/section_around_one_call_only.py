"""section-around-one-call-only: what one branch reads inside a section, another reads outside of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bot.code.asked import Need, asked_at
from bot.code.contract import asked_of_callers
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.reads import names_a_reader
from bot.code.sections import Held, Lock
from bot.code.vocabulary import RCU, READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

BRANCH = Example(
    "the second branch has the section, the new one has not",
    """\
 int hub_bind(struct hub *hub, struct addr *addr)
 {
 	struct net_device *dev = NULL;

+	if (addr->mapped) {
+		dev = dev_get_by_index_rcu(hub->net, hub->index); // <-- warns
+		if (!dev)
+			return -ENODEV;
+		return hub_check(hub, dev);
+	}
 	rcu_read_lock();
 	dev = dev_get_by_index_rcu(hub->net, hub->index);
 	if (dev)
 		hub_check(hub, dev);
 	rcu_read_unlock();
 	return 0;
 }
""",
)

DEREFERENCE = Example(
    "one dereference of two",
    """\
 struct gadget { int state; };
 struct hub { struct gadget __rcu *first; };

 int hub_state(struct hub *hub, bool quick)
 {
 	int state;

+	if (quick)
+		return rcu_dereference(hub->first)->state; // <-- warns
 	rcu_read_lock();
 	state = rcu_dereference(hub->first)->state;
 	rcu_read_unlock();
 	return state;
 }
""",
)

HELD = Example(
    "a lock is held there; the callers hold a section; the section was dropped and taken again",
    """\
 struct gadget { int state; };
 struct hub { struct mutex lock; struct gadget __rcu *first; };

 int hub_bind(struct hub *hub, struct addr *addr)
 {
 	struct net_device *dev;

+	if (addr->mapped) {
+		rtnl_lock();
+		dev = dev_get_by_index_rcu(hub->net, hub->index);
+		hub_check(hub, dev);
+		rtnl_unlock();
+	}
 	rcu_read_lock();
 	dev = dev_get_by_index_rcu(hub->net, hub->index);
 	hub_check(hub, dev);
 	rcu_read_unlock();
 	return 0;
 }

 static int gadget_state(struct hub *hub, bool quick)
 {
 	int state;

+	if (quick)
+		return rcu_dereference(hub->first)->state;
 	rcu_read_lock();
 	state = rcu_dereference(hub->first)->state;
 	rcu_read_unlock();
 	return state;
 }

 int hub_state(struct hub *hub)
 {
 	guard(rcu)();
 	return gadget_state(hub, true);
 }

 int hub_walk(struct hub *hub)
 {
 	struct net_device *dev;

+	dev = dev_get_by_index_rcu(hub->net, hub->index);
 	rcu_read_unlock();
 	hub_sleep(hub);
 	rcu_read_lock();
 	dev = dev_get_by_index_rcu(hub->net, hub->index);
 	return hub_check(hub, dev);
 }
""",
)

OTHER_FUNCTION = Example(
    "the section stands in another function",
    """\
 int hub_bind(struct hub *hub, struct addr *addr)
 {
+	if (addr->mapped)
+		return hub_check(hub, dev_get_by_index_rcu(hub->net, hub->index));
 	return hub_bind_locked(hub);
 }

 int hub_bind_locked(struct hub *hub)
 {
 	guard(rcu)();
 	return hub_check(hub, dev_get_by_index_rcu(hub->net, hub->index));
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.8,
    sources=("Documentation/RCU/checklist.rst item 2",),
    why="""The function takes a section for this very read elsewhere, under the same locks: so its callers hold none,
    and what is held here does not do.""",
    instead="rcu_read_lock() around the read and the use of its result, here too.",
    bad=(BRANCH, DEREFERENCE),
    good=(HELD,),
    blind_spots=(OTHER_FUNCTION,),
    replaces=("called-outside-section", "read-lock-removed"),
)
def section_around_one_call_only(code: Code) -> Iterator[Hit]:
    """A function takes a section around one call of a reader, and makes the same call outside of it."""
    for function in code.facts.in_focus:
        if not function.sections or asked_of_callers(function) or _called_inside(code.facts, function):
            continue
        for number, inside in _bare(code, function):
            step, other = function.flow.steps[number], function.flow.steps[inside]
            yield hit_at(
                function,
                step,
                step.name,
                f"{step.name}() is outside of any section, and the same call further on or before is inside one",
                (step_evidence(Role.READER, function, other), step_evidence(Role.USE, function, step)),
                question="Which section covers this call?",
                cure="If none: rcu_read_lock() around the call and the use of its result.",
            )


def _bare(code: Code, function: Function) -> Iterator[tuple[int, int]]:
    """The reads outside of any section, each with a like one that the function's own section covers."""
    alike: defaultdict[str, list[int]] = defaultdict(list)
    for number, step in enumerate(function.flow.steps):
        if read := _read_at(step):
            alike[read].append(number)
    for numbers in alike.values():
        inside = [number for number in numbers if function.held[number].always((RCU,))]
        for number in numbers if inside else ():
            held = function.held[number]
            under_the_same = [other for other in inside if _locks(held) <= _locks(function.held[other])]
            if not held.states or held.ever(READ_SIDE) or not under_the_same:
                continue
            if code.needs.in_sight(function, number, Need(RCU)):
                yield number, under_the_same[0]
                break


def _read_at(step: Step) -> str:
    """What a step reads that only a section protects, "" for nothing."""
    if step.kind is StepKind.CALL and names_a_reader(step.name):
        return step.name
    asked = asked_at(step)
    return f"{step.name} {asked[1]}" if asked is not None and asked[0] == Need(RCU) else ""


def _locks(held: Held) -> frozenset[Lock]:
    return frozenset(lock for state in held.states for lock, count in state if count and lock.kind not in READ_SIDE)


def _called_inside(code: WorldFacts, function: Function) -> bool:
    """Whether a caller is seen to hold a section."""
    return any(number >= 0 and caller.held[number].ever(READ_SIDE) for caller, number in code.callers(function))
