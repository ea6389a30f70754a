"""updater-accessor-in-reader: a reader calls the helper that is for those who hold the updaters' lock."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.escapes import gives_pointer
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.inside import opened
from bot.code.vocabulary import RCU, RCU_BH, RCU_SCHED, READ_SIDE
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_READERS = frozenset({RCU, RCU_BH, RCU_SCHED})
_PROTECTED = re.compile(r"rcu_dereference(?:_bh|_sched)?_protected|rtnl_dereference|nft_dereference|cgroup_dereference")
_LOCK = re.compile(r"lockdep_is_held\w*\(&?([\w>.-]+)")
_RTNL = re.compile(r"rtnl", re.IGNORECASE)

RTNL_HELPER = Example(
    "the helper that asks for the RTNL, in a section that was taken for it",
    """\
 struct port { struct group __rcu *group; };

 static struct group *port_group(struct port *p)
 {
 	return rtnl_dereference(p->group);
 }

 static struct group *port_group_rcu(struct port *p)
 {
 	return rcu_dereference(p->group);
 }

+static int port_mode(struct port *p)
+{
+	struct group *g;
+	int mode = 0;
+
+	rcu_read_lock();
+	g = port_group(p); // <-- warns
+	if (g)
+		mode = g->mode;
+	rcu_read_unlock();
+	return mode;
+}
""",
)

OTHER_LOCK = Example(
    "another lock is held than the one that the helper names",
    """\
 struct hub { struct mutex lock; spinlock_t busy; struct table __rcu *table; };

 static struct table *hub_table(struct hub *hub)
 {
 	return rcu_dereference_protected(hub->table, lockdep_is_held(&hub->lock));
 }

+static int hub_size(struct hub *hub)
+{
+	int size;
+
+	lockdep_assert_held(&hub->busy);
+	rcu_read_lock();
+	size = hub_table(hub)->size; // <-- warns
+	rcu_read_unlock();
+	return size;
+}
""",
)

LOCKED = Example(
    "the lock is held too; the condition allows readers",
    """\
 struct hub { struct mutex lock; struct table __rcu *table; struct gadget __rcu *first; };

 static struct table *hub_table(struct hub *hub)
 {
 	return rcu_dereference_protected(hub->table, lockdep_is_held(&hub->lock));
 }

 static struct table *hub_any_table(struct hub *hub)
 {
 	return rcu_dereference_check(hub->table, lockdep_is_held(&hub->lock));
 }

+static int hub_size(struct hub *hub)
+{
+	int size;
+
+	guard(mutex)(&hub->lock);
+	rcu_read_lock();
+	size = hub_table(hub)->size;
+	rcu_read_unlock();
+	return size;
+}
+
+static int hub_any_size(struct hub *hub)
+{
+	guard(rcu)();
+	return hub_any_table(hub)->size;
+}
""",
)

CALLER_LOCKS = Example(
    "the caller holds the lock, and the section is for a callee out of sight",
    """\
 struct hub { struct mutex lock; struct table __rcu *table; };

 static struct table *hub_table(struct hub *hub)
 {
 	return rcu_dereference_protected(hub->table, lockdep_is_held(&hub->lock));
 }

+static void hub_show(struct hub *hub)
+{
+	rcu_read_lock();
+	show(hub_table(hub)); // <-- warns
+	rcu_read_unlock();
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.75,
    sources=("Documentation/RCU/rcu_dereference.rst", "Documentation/RCU/lockdep.rst"),
    why="""rcu_dereference_protected() and rtnl_dereference() load plainly, since the lock that they name keeps updaters
    away.  In a section without that lock lockdep complains, and nothing orders the load.""",
    instead="The helper for readers, as a rule of the same name with _rcu; or rcu_dereference_check() in the helper.",
    bad=(RTNL_HELPER, OTHER_LOCK),
    good=(LOCKED,),
    blind_spots=(CALLER_LOCKS,),
    hunk_proves=True,
)
def updater_accessor_in_reader(code: Code) -> Iterator[Hit]:
    """A section is taken for a pointer that is then loaded by the accessor of updaters."""
    for function in code.facts.in_focus:
        if not function.sections and "guard" not in function.words:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is not StepKind.CALL or not function.held[number].always(_READERS):
                continue
            read = _accessor(code, function, step)
            if read is None or _held(function, number, read[1]) or _for_something_else(function, step):
                continue
            opener = opened(code.facts, function, number, _READERS)
            if opener is not None:
                yield _warning(function, function.flow.steps[opener[1]], step, *read)


def _accessor(code: Code, function: Function, step: Step) -> tuple[Function, Step] | None:
    """The load in a callee that asks for a lock, and for nothing else."""
    for callee in code.facts.by_name.get(step.name, ()):  # twins are stubs of other configurations
        if callee is function or not gives_pointer(callee) or "rcu_read_lock_held" in callee.text:
            continue
        for inner in callee.flow.steps:
            if inner.kind is StepKind.CALL and _PROTECTED.fullmatch(inner.name) and inner.args:
                asks = len(inner.args) < 2 or _LOCK.search(inner.args[1]) or _RTNL.search(inner.args[1])
                return (callee, inner) if asks else None
    return None


def _held(function: Function, number: int, read: Step) -> bool:
    """Whether the lock that the accessor names may be held: one without a name is the RTNL."""
    named = _LOCK.search(read.args[1]) if len(read.args) > 1 else None
    locks = [lock.what for state in function.held[number].states for lock, _ in state if lock.kind not in READ_SIDE]
    if named is None:
        return "" in locks or _RTNL.search(function.text) is not None
    return any(not what or what.endswith(re.split(r"->|\.", named[1])[-1]) for what in locks)


def _for_something_else(function: Function, call: Step) -> bool:
    """Whether the function reads anything else in its sections, or calls what says that it reads under RCU."""
    return any(
        step.kind in {StepKind.CALL, StepKind.WALK}
        and step is not call
        and re.search(r"rcu(?!_read_(?:un)?lock)", step.name)
        for step in function.flow.steps
    )


def _warning(function: Function, opener: Step, step: Step, callee: Function, read: Step) -> Hit:
    return hit_at(
        function,
        step,
        step.name,
        f"{step.name}() is for updaters, and {opener.name}() makes no one an updater",
        (
            step_evidence(Role.LOCK, function, opener),
            step_evidence(Role.READER, function, step),
            step_evidence(Role.NOTE, callee, read),
        ),
        question=f"Is the lock that {read.name}() names held here?",
        cure=f"If not: {step.name}_rcu(), or rcu_dereference_check() in the helper.",
    )
