"""subobject-freed-early: the object waits for its readers, a part that they use does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import StepKind
from bot.code.reads import loads
from bot.code.structs import UNKNOWN, object_of
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, rule, step_evidence

_PART = re.compile(r"(\w+)->(\w+)")
_LOCKS = (ASSERTED, MUTEX, RWLOCK, RWSEM, SPIN)

STATS = Example(
    "the counters go at once, the object that points to them a grace period later",
    """\
 struct port { struct list_head node; struct stats *stats; struct rcu_head rcu; };
 struct bridge { spinlock_t lock; struct list_head ports; };

 static void bridge_count(struct bridge *br)
 {
 	struct port *p;

 	rcu_read_lock();
 	list_for_each_entry_rcu(p, &br->ports, node)
 		count(p->stats);
 	rcu_read_unlock();
 }

 static void port_drop(struct bridge *br, struct port *p)
 {
 	spin_lock(&br->lock);
 	list_del_rcu(&p->node);
 	spin_unlock(&br->lock);
+	free_percpu(p->stats); // <-- warns
 	kfree_rcu(p, rcu);
 }
""",
)

CALLBACK = Example(
    "freed behind the hand-over, and still at once",
    """\
 struct port { struct list_head node; char *name; struct rcu_head rcu; };
 struct bridge { struct list_head ports; };

 static bool bridge_has(struct bridge *br, const char *name)
 {
 	struct port *p;

 	guard(rcu)();
 	list_for_each_entry_rcu(p, &br->ports, node)
 		if (!strcmp(p->name, name))
 			return true;
 	return false;
 }

 static void port_drop(struct bridge *br, struct port *p)
 {
+	char *name = p->name;
+
 	list_del_rcu(&p->node);
+	kfree(p->name); // <-- warns
 	call_rcu(&p->rcu, port_free_cb);
 }
""",
)

NOT_READ = Example(
    "a part that no reader uses; one that waited too; one of an object that nobody knows yet",
    """\
 struct port { struct list_head node; char *name; char *log; struct rcu_head rcu; };
 struct bridge { struct mutex lock; struct list_head ports; };

 static bool bridge_has(struct bridge *br, const char *name)
 {
 	struct port *p;
 	bool found = false;

 	rcu_read_lock();
 	list_for_each_entry_rcu(p, &br->ports, node)
 		found |= !strcmp(p->name, name);
 	rcu_read_unlock();
 	return found;
 }

+static void port_drop(struct bridge *br, struct port *p)
+{
+	list_del_rcu(&p->node);
+	kfree(p->log);
+	synchronize_rcu();
+	kfree(p->name);
+	kfree_rcu(p, rcu);
+}
+
+static int port_new(struct bridge *br, const char *name)
+{
+	struct port *p = kzalloc(sizeof(*p), GFP_KERNEL);
+
+	p->name = kstrdup(name, GFP_KERNEL);
+	if (port_open(p)) {
+		kfree(p->name);
+		kfree_rcu(p, rcu);
+		return -EIO;
+	}
+	list_add_rcu(&p->node, &br->ports);
+	return 0;
+}
""",
)

FAR_READER = Example(
    "the reader is a callee that is handed the object",
    """\
 struct port { struct list_head node; char *name; struct rcu_head rcu; };

 static bool port_is(struct port *p, const char *name)
 {
 	return !strcmp(p->name, name);
 }

+static void port_drop(struct port *p)
+{
+	list_del_rcu(&p->node);
+	kfree(p->name);
+	kfree_rcu(p, rcu);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 14",),
    why="""A reader that holds the object follows its pointers too.  What they lead to has to live until the grace
    period is over, as the object itself does.""",
    instead="Free the part in the callback of call_rcu(), together with the object.",
    bad=(STATS, CALLBACK),
    good=(NOT_READ,),
    blind_spots=(FAR_READER,),
)
def subobject_freed_early(code: Code) -> Iterator[Hit]:
    """A part that RCU readers use is freed at once, while its object waits for a grace period."""
    for function in code.facts.in_focus:
        for freed, deferred, part in _early(code, function):
            reader = _reader(code, function.variables.get(part[0], UNKNOWN), part[1])
            if reader is not None:
                yield hit(
                    freed,
                    f"{part[0]}->{part[1]}",
                    f"{freed.name}() of {part[0]}->{part[1]} does not wait, as {deferred.name}() of {part[0]} does",
                    (reader, freed.evidence(Role.FREE), deferred.evidence(Role.WAIT)),
                    question=f"Can a reader that holds {part[0]} still follow {part[0]}->{part[1]}?",
                    cure="If so: free it in an RCU callback, with the object.",
                )


def _early(code: Code, function: Function) -> Iterator[tuple[Fact, Fact, tuple[str, str]]]:
    """Frees of a member with no wait before, where the object itself is handed over on the same way."""
    facts = code.facts.facts(function)
    deferred = [fact for fact in facts if fact.kind is FactKind.DEFER]
    for freed in facts if deferred else ():
        part = _PART.fullmatch(freed.variable) if freed.kind is FactKind.FREE else None
        if part is None or code.lifetime.waited_before(freed):
            continue
        if code.lifetime.private(function, replace(freed, variable=part[1])):
            continue
        around = {*function.flow.after(freed.step, _gap), *function.flow.before(freed.step, _gap)}
        for fact in deferred:
            if fact.step in around and object_of(fact.variable) == part[1]:
                yield freed, fact, (part[1], part[2])
                break


def _gap(step: object) -> bool:
    return getattr(step, "kind", None) is StepKind.GAP


def _reader(code: Code, kind: str, member: str) -> Evidence | None:
    """Where an RCU reader with no lock uses this member of what it found."""
    if kind == UNKNOWN:
        return None
    for function in code.facts.functions:
        if member not in function.words or not function.sections:
            continue
        found = {variable for _, variable in loads(function) if function.variables.get(variable) == kind}
        for number, step in enumerate(function.flow.steps) if found else ():
            held = function.held[number]
            if not held.reading or held.ever(_LOCKS):
                continue
            if any(re.search(rf"\b{variable}->{member}\b", step.code) for variable in found & step.uses):
                return step_evidence(Role.READER, function, step)
    return None
