"""publication-made-plain: an RCU pointer is stored or loaded like any other pointer from now on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.code.contract import held_by_caller
from bot.code.cover import counterpart
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.removal import is_null
from bot.code.vocabulary import READ_SIDE, READS, UPDATER_READS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_READER_SIDE = READS.keys() - UPDATER_READS
_PUBLISHERS = frozenset({"rcu_assign_pointer", "rcu_replace_pointer"})

STORE = Example(
    "rcu_assign_pointer() becomes an assignment",
    """\
 static int hub_set(struct hub *hub, struct table *t)
 {
 	struct table *old;

 	old = hub->table;
-	rcu_assign_pointer(hub->table, t);
+	hub->table = t; // <-- warns
 	hub->size = t->size;
 	synchronize_rcu();
 	table_free(old);
 	return 0;
 }
""",
    tree=False,
)

LOAD = Example(
    "rcu_dereference() becomes a plain load, and the section stays",
    """\
 static int hub_size(struct hub *hub)
 {
 	struct table *t;
 	int size = 0;

 	rcu_read_lock();
-	t = rcu_dereference(hub->table);
+	t = hub->table; // <-- warns
 	if (t)
 		size = t->size;
 	rcu_read_unlock();
 	return size;
 }
""",
    tree=False,
)

NO_READERS_LEFT = Example(
    "the readers go too; a lock comes with the load; a NULL",
    """\
 static void hub_set(struct hub *hub, struct table *t)
 {
 	mutex_lock(&hub->lock);
-	rcu_assign_pointer(hub->table, t);
+	hub->table = t;
 	mutex_unlock(&hub->lock);
 }

 static int hub_size(struct hub *hub)
 {
 	struct table *t;
 	int size;

-	rcu_read_lock();
-	t = rcu_dereference(hub->table);
+	mutex_lock(&hub->lock);
+	t = hub->table;
 	size = t->size;
-	rcu_read_unlock();
+	mutex_unlock(&hub->lock);
 	return size;
 }

 static void hub_clear(struct hub *hub)
 {
-	rcu_assign_pointer(hub->other, NULL);
+	hub->other = NULL;
 }
""",
)

NOT_SHARED = Example(
    "the object that holds the pointer is not known to anybody yet, and is handed in",
    """\
 static void table_link(struct table *t, struct table *next)
 {
-	rcu_assign_pointer(t->next, next);
+	t->next = next; // <-- warns
 }
""",
    tree=False,
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 4e", "Documentation/RCU/rcu_dereference.rst"),
    why="""rcu_assign_pointer() orders the stores that fill an object before the one that publishes it, and
    rcu_dereference() makes the reader load the pointer once.  A lock does neither for readers that do not take it.""",
    instead="Keep the primitive for as long as any reader follows the pointer under RCU.",
    bad=(STORE, LOAD),
    good=(NO_READERS_LEFT,),
    blind_spots=(NOT_SHARED,),
    replaces=("plain-store-before-wait",),
    hunk_proves=True,
)
def publication_made_plain(code: Code) -> Iterator[Hit]:
    """A plain assignment takes the place of rcu_assign_pointer() or rcu_dereference()."""
    if code.before is None:
        return
    for function in code.facts.in_focus:
        before = counterpart(code.before.facts, function)
        if before is None or before.text == function.text:
            continue
        for number, lost in _made_plain(before, function):
            place = function.flow.steps[number].name if lost.name in _PUBLISHERS else lost.args[0]
            if _readers_gone(code.facts, code.before.facts, function, place):
                continue
            if lost.name not in _PUBLISHERS and held_by_caller(code.facts, function):
                continue
            key = code.facts.structs.resolve(place, function.variables, function.aliases)
            yield _warning(before, function, number, lost, str(key) if key.known else place)


def _made_plain(before: Function, after: Function) -> Iterator[tuple[int, Step]]:
    """The assignments that do plainly what a primitive did before, and the primitive."""
    gone = [step for step in before.flow.steps if step.kind is StepKind.CALL and step.args]
    still = {(step.name, step.args) for step in after.flow.steps if step.kind is StepKind.CALL}
    old = {(step.name, step.value) for step in before.flow.steps if step.kind is StepKind.ASSIGN}
    for number, step in enumerate(after.flow.steps):
        if step.kind is not StepKind.ASSIGN or (step.name, step.value) in old:
            continue
        for lost in gone:
            if (lost.name, lost.args) in still:
                continue
            stored = lost.name in _PUBLISHERS and lost.args[:2] == (step.name, step.value) and not is_null(step.value)
            loaded = lost.name in _READER_SIDE and lost.args[0] == step.value and lost.target == step.name
            if stored or (loaded and not _locked(after, number)):
                yield number, lost
                break


def _locked(function: Function, number: int) -> bool:
    """Whether any way to a step holds more than a read-side section, or no way is known."""
    states = function.held[number].states
    return not states or any(count > 0 and lock.kind not in READ_SIDE for state in states for lock, count in state)


def _readers_gone(code: WorldFacts, before: WorldFacts, here: Function, place: str) -> bool:
    """Whether the change takes readers of a pointer of this name away elsewhere: then it is made another pointer."""
    member = place.rsplit("->", 1)[-1].rsplit(".", 1)[-1]

    def readers(world: WorldFacts) -> int:
        return sum(
            step.kind is StepKind.CALL and step.name in _READER_SIDE and step.args[0].endswith(member)
            for function in world.in_focus
            if (function.path, function.name) != (here.path, here.name)
            for step in function.flow.steps
            if step.args
        )

    return readers(code) < readers(before)


def _warning(before: Function, function: Function, number: int, lost: Step, place: str) -> Hit:
    step = function.flow.steps[number]
    return hit_at(
        function,
        step,
        place,
        f"{place} is {'stored' if lost.name in _PUBLISHERS else 'loaded'} plainly; it was {lost.name}() before",
        (
            replace(step_evidence(Role.NOTE, before, lost), origin="base", note="as it was"),
            step_evidence(Role.STORE if lost.name in _PUBLISHERS else Role.READER, function, step),
        ),
        question=f"Does any reader still follow {place} under RCU?",
        cure=f"If so, keep {lost.name}().",
    )
