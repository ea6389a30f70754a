"""list-empty-then-first: a reader asks whether a list is empty, and then takes an entry that may be gone."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN})
_FIRST = frozenset({"list_first_entry_rcu", "list_entry_rcu", "list_first_entry", "list_next_or_null_rcu"})
_EMPTY = frozenset({"list_empty", "list_empty_careful"})

FIRST = Example(
    "the first of a list that was not empty",
    """\
 static int hub_first(struct hub *hub)
 {
 	struct gadget *g;
 	int id = -1;

 	rcu_read_lock();
-	g = list_first_or_null_rcu(&hub->gadgets, struct gadget, node);
-	if (g)
-		id = g->id;
+	if (!list_empty(&hub->gadgets)) {
+		g = list_first_entry_rcu(&hub->gadgets, struct gadget, node); // <-- warns
+		id = g->id;
+	}
 	rcu_read_unlock();
 	return id;
 }
""",
)

NEXT = Example(
    "the entry behind the head",
    """\
 static struct gadget *hub_first(struct hub *hub)
 {
 	guard(rcu)();
-	return list_first_or_null_rcu(&hub->gadgets, struct gadget, node);
+	if (list_empty(&hub->gadgets))
+		return NULL;
+	return list_entry_rcu(hub->gadgets.next, struct gadget, node); // <-- warns
 }
""",
)

SAFE = Example(
    "under the update lock; a walk behind the test; another list; the first or none",
    """\
+static int hub_first(struct hub *hub)
+{
+	struct gadget *g;
+	int sum = 0;
+
+	rcu_read_lock();
+	spin_lock(&hub->lock);
+	if (!list_empty(&hub->gadgets)) {
+		g = list_first_entry_rcu(&hub->gadgets, struct gadget, node);
+		sum += g->id;
+	}
+	spin_unlock(&hub->lock);
+	if (!list_empty(&hub->gadgets))
+		list_for_each_entry_rcu(g, &hub->gadgets, node)
+			sum += g->id;
+	if (!list_empty(&hub->spare)) {
+		g = list_first_or_null_rcu(&hub->gadgets, struct gadget, node);
+		sum += g ? g->id : 0;
+	}
+	rcu_read_unlock();
+	return sum;
+}
""",
)

BY_COUNT = Example(
    "a counter says that there is one",
    """\
+static int hub_first(struct hub *hub)
+{
+	guard(rcu)();
+	return hub->count ? list_first_entry_rcu(&hub->gadgets, struct gadget, node)->id : -1;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.8,
    sources=("include/linux/rculist.h list_entry_rcu()", "Documentation/RCU/checklist.rst item 10"),
    why="""An updater may take the last entry away between the test and the load.  What the reader then takes for an
    entry is the head of the list.""",
    instead="list_first_or_null_rcu(), which loads the pointer once and tests that.",
    bad=(FIRST, NEXT),
    good=(SAFE,),
    blind_spots=(BY_COUNT,),
    hunk_proves=True,
)
def list_empty_then_first(code: Code) -> Iterator[Hit]:
    """A reader takes the first entry of an RCU list because list_empty() said that there is one."""
    for function in code.facts.in_focus:
        if not _EMPTY & function.words:
            continue
        for fact in code.facts.facts(function):
            if fact.kind is not FactKind.WALK or fact.name not in _FIRST or not _unlocked_reader(function, fact.step):
                continue
            test = _tested(function, fact.step)
            if test and _on_rcu_list(code, fact) and not held_by_caller(code.facts, function, _LOCKS):
                yield _warning(function, fact, test)


def _unlocked_reader(function: Function, number: int) -> bool:
    return function.held[number].reading and not function.held[number].ever(_LOCKS)


def _on_rcu_list(code: Code, fact: Fact) -> bool:
    """Whether the primitive, or what else happens to the head, says that the list is an RCU list."""
    protection = code.facts.list_of(fact)
    return fact.rcu or (protection is not None and fact.head.known and fact.head in protection.rcu_heads)


def _tested(function: Function, number: int) -> Step | None:
    """The test of the same head that every way here has behind it."""
    step = function.flow.steps[number]
    head = step.args[0].removesuffix(".next").removesuffix("->next").lstrip("&") if step.args else ""
    for name, truth in function.flow.known_at(number).items():
        call, _, argument = name.partition("(")
        if call in _EMPTY and not truth and argument.removesuffix(")").lstrip("&") == head:
            return next(s for s in function.flow.steps if s.kind is StepKind.ASSUME and s.name == name)
    return None


def _warning(function: Function, fact: Fact, test: Step) -> Hit:
    step = function.flow.steps[fact.step]
    return hit_at(
        function,
        step,
        step.args[0],
        f"{step.name}() relies on a list_empty() that is over",
        (step_evidence(Role.NOTE, function, test), step_evidence(Role.READER, function, step)),
        question="Can the last entry be removed between the test and the load?",
        cure="If so: list_first_or_null_rcu().",
    )
