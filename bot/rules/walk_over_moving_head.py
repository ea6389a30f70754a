"""walk-over-moving-head: the list head of an RCU walk is a pointer that somebody sets anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.removal import is_null
from bot.code.structs import LOCAL
from bot.code.vocabulary import READ_SIDE, WALKS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_PLACE = re.compile(r"\w++(?:(?:->|\.)\w++)*+")
_WORD = re.compile(r"\w+")
_INIT = re.compile(r"(?:^|_)(?:init|setup|alloc|create|new|probe)(?:_|$)")

SWAPPED = Example(
    "the rules in force are swapped while readers walk them",
    """\
 static LIST_HEAD(default_rules);
 static LIST_HEAD(own_rules);
+static struct list_head *rules = &default_rules;

 static int rule_match(int id)
 {
 	struct entry *e;
 	int action = 0;

 	rcu_read_lock();
-	list_for_each_entry_rcu(e, &default_rules, node)
+	list_for_each_entry_rcu(e, rules, node) // <-- warns
 		if (e->id == id)
 			action = e->action;
 	rcu_read_unlock();
 	return action;
 }

+static void rule_update(void)
+{
+	rules = &own_rules;
+}
""",
)

LOADED_ONCE = Example(
    "loaded once into a variable; a lock; a head that is set up once; a head that is part of a struct",
    """\
 static struct list_head __rcu *rules;

+static int rule_match(struct hub *hub, int id)
+{
+	struct list_head *now;
+	struct entry *e;
+	int action = 0;
+
+	rcu_read_lock();
+	now = rcu_dereference(rules);
+	list_for_each_entry_rcu(e, now, node)
+		if (e->id == id)
+			action = e->action;
+	list_for_each_entry_rcu(e, &hub->rules, node)
+		if (e->id == id)
+			action = e->action;
+	list_for_each_entry_rcu(e, hub->first_rules, node)
+		if (e->id == id)
+			action = e->action;
+	rcu_read_unlock();
+	return action;
+}
+
+static void rule_update(struct list_head *own)
+{
+	rcu_assign_pointer(rules, own);
+}
+
+static void hub_init(struct hub *hub, struct list_head *first)
+{
+	hub->first_rules = first;
+}
""",
)

ONE_WAY = Example(
    "the pointer is set before the first reader can run",
    """\
 static struct list_head *rules;

+static int rule_count(void)
+{
+	struct entry *e;
+	int n = 0;
+
+	guard(rcu)();
+	list_for_each_entry_rcu(e, rules, node) // <-- warns
+		n++;
+	return n;
+}
+
+static void rule_start(struct list_head *own)
+{
+	rules = own;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("Documentation/RCU/rcu_dereference.rst", "include/linux/rculist.h list_for_each_entry_rcu()"),
    why="""The iterator compares each entry with the head anew.  A reader that began on the old list never meets the
    new head, and goes round the old one for ever.""",
    instead="Load the head once, with rcu_dereference(), into a variable of the reader, and walk that.",
    bad=(SWAPPED,),
    good=(LOADED_ONCE,),
    blind_spots=(ONE_WAY,),
    hunk_proves=True,
)
def walk_over_moving_head(code: Code) -> Iterator[Hit]:
    """The head of a list that readers walk is a pointer which is set to another list meanwhile."""
    for function in code.facts.in_focus:
        for walk, head in _walks(function):
            found = next(_setters(code, function, head), None)
            if found is not None:
                yield _warning(function, walk, head, *found)


def _walks(function: Function) -> Iterator[tuple[Step, str]]:
    """The RCU walks of a function over a pointer that is not its own, with no lock held; and the pointer."""
    for number, step in enumerate(function.flow.steps):
        call = WALKS.get(step.name) if step.kind is StepKind.WALK and step.name.startswith("list_") else None
        if call is None or not call.rcu or call.head is None or call.head >= len(step.args):
            continue
        head = step.args[call.head]
        own = head in function.variables or head in function.parameters or _declared(function, head)
        locks = {lock.kind for state in function.held[number].states for lock, _ in state}
        if _PLACE.fullmatch(head) and not own and locks <= READ_SIDE:
            yield step, head


def _setters(code: Code, function: Function, head: str) -> Iterator[tuple[Function, Step]]:
    """The assignments that give the head another list, outside of what sets it up."""
    word = _WORD.findall(head)[-1]
    for setter in code.facts.functions:
        if word in setter.text and word in setter.words and not _INIT.search(setter.name):
            for step in _sets(setter):
                if _same(code, function, head, setter, step):
                    yield setter, step


def _declared(function: Function, name: str) -> bool:
    return re.search(rf"\*\s*{re.escape(name)}\s*[;,=)]", function.text) is not None


def _sets(function: Function) -> Iterator[Step]:
    for step in function.flow.steps:
        place = step.name if step.kind is StepKind.ASSIGN else ""
        if _PLACE.fullmatch(place) and not is_null(step.value) and not _declared(function, place):
            yield step


def _at_file_scope(code: Code, name: str) -> bool:
    found = re.compile(rf"^(?:static |extern )?struct list_head (?:__rcu )?\*{re.escape(name)}\b", re.MULTILINE)
    return any(name in image.text and found.search(image.text) for image in code.facts.world.images)


def _same(code: Code, function: Function, head: str, setter: Function, step: Step) -> bool:
    if head.isidentifier():
        return step.name == head and _at_file_scope(code, head)
    key = code.facts.structs.resolve(head, function.variables, function.aliases)
    other = code.facts.structs.resolve(step.name, setter.variables, setter.aliases)
    return key.known and key.owner != LOCAL and key == other


def _warning(function: Function, walk: Step, head: str, setter: Function, step: Step) -> Hit:
    return hit_at(
        function,
        walk,
        head,
        f"{walk.name}() reads {head} anew at each turn, and {setter.name}() sets it",
        (step_evidence(Role.READER, function, walk), step_evidence(Role.STORE, setter, step)),
        question=f"Can {setter.name}() run while a reader is on the list?",
        cure="If so: load the head once, with rcu_dereference().",
    )
