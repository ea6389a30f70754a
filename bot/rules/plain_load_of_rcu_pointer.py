"""plain-load-of-rcu-pointer: a pointer that updaters replace is loaded as if it were any other, and followed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.protection import PointerProtection
from bot.code.vocabulary import ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_LOCKS = frozenset({ASSERTED, MUTEX, RWLOCK, RWSEM, SEQ, SPIN})
_PLACE = re.compile(r"\w+(?:(?:->|\.)\w+|\[[^\[\]]*\])+")
_BASE = re.compile(r"\w+")

LOADED = Example(
    "the table is loaded with an assignment",
    """\
 struct table { int size; };
 struct hub { struct table __rcu *table; };

 static void hub_set(struct hub *hub, struct table *t)
 {
 	rcu_assign_pointer(hub->table, t);
 }

 static int hub_size(struct hub *hub)
 {
 	struct table *t;

 	guard(rcu)();
-	t = rcu_dereference(hub->table);
+	t = hub->table; // <-- warns
 	return t ? t->size : 0;
 }
""",
)

THROUGH = Example(
    "followed in one go",
    """\
 struct table { int size; };
 struct hub { struct table __rcu *table; };

 static void hub_set(struct hub *hub, struct table *t)
 {
 	rcu_assign_pointer(hub->table, t);
 }

 static int hub_size(struct hub *hub)
 {
 	guard(rcu)();
-	return rcu_dereference(hub->table)->size;
+	return hub->table->size; // <-- warns
 }
""",
)

OTHERWISE = Example(
    "the accessors; the address; a NULL test; a size; the update lock; an owner of one's own; a plain array of them",
    """\
 struct table { int size; };
 struct hub { struct table __rcu *table; struct table __rcu **tables; struct table *plain; };

 static void hub_set(struct hub *hub, struct table *t)
 {
 	rcu_assign_pointer(hub->table, t);
 }

+static int hub_size(struct hub *hub)
+{
+	struct table __rcu **place = &hub->table;
+	struct table __rcu **tables = hub->tables;
+	struct table *t, *p;
+	struct hub *copy = kzalloc(sizeof(*hub->table), GFP_ATOMIC);
+
+	guard(rcu)();
+	t = rcu_dereference(*place);
+	p = hub->plain;
+	if (rcu_access_pointer(hub->table) && tables[0] && copy)
+		copy->table = NULL;
+	return t->size + p->size;
+}
+
+static int hub_grow(struct hub *hub)
+{
+	struct table *t;
+
+	spin_lock(&hub->lock);
+	t = hub->table;
+	t->size++;
+	spin_unlock(&hub->lock);
+	return 0;
+}
""",
)

ANY_SECTION = Example(
    "no section in sight, so that it may be a set-up or a teardown",
    """\
 struct table { int size; };
 struct hub { struct table __rcu *table; };

+static int hub_size(struct hub *hub)
+{
+	struct table *t = hub->table;
+
+	return t ? t->size : 0;
+}
+
 static void hub_set(struct hub *hub, struct table *t)
 {
 	rcu_assign_pointer(hub->table, t);
 }
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.7,
    sources=("Documentation/RCU/rcu_dereference.rst", "Documentation/RCU/checklist.rst item 16"),
    why="""A plain load may be torn, repeated or made early, so that the reader follows one pointer and tests another,
    or sees an object before its fields.  sparse reports it, and lockdep cannot check it.""",
    instead="rcu_dereference() in a reader, rcu_dereference_protected() where updates are excluded.",
    bad=(LOADED, THROUGH),
    good=(OTHERWISE,),
    blind_spots=(ANY_SECTION,),
    replaces=("rcu-primitive-dropped", "publication-made-plain"),
)
def plain_load_of_rcu_pointer(code: Code) -> Iterator[Hit]:
    """A reader follows an RCU pointer that it loaded with a plain assignment."""
    members = {pointer.field.member for pointer in code.facts.pointers.values()}
    for function in code.facts.in_focus:
        if not members & function.words:
            continue
        seen: set[int] = set()
        for number, step in enumerate(function.flow.steps):
            if not function.held[number].reading or function.held[number].ever(_LOCKS):
                continue
            for pointer, use in _loads(code, function, number):
                if step.line not in seen:
                    seen.add(step.line)
                    yield _warning(function, step, function.flow.steps[use], pointer)


def _loads(code: Code, function: Function, number: int) -> Iterator[tuple[PointerProtection, int]]:
    """The RCU pointers that a step loads plainly, with the step that follows them."""
    step = function.flow.steps[number]
    if step.kind is StepKind.ASSIGN and step.name.isidentifier() and (pointer := _pointer(code, function, step.value)):
        use = _followed(function, number, step.name)
        if use is not None and not re.search(rf"__rcu\s*\*+\s*{step.name}\b", function.text):
            yield pointer, use
    for place in step.uses:
        indexed = f"{place}[" in step.code.replace(" ", "")
        if not indexed and (pointer := _pointer(code, function, place)):
            yield pointer, number


def _pointer(code: Code, function: Function, place: str) -> PointerProtection | None:
    """The RCU pointer that an expression names; None when it is another, or in an object nobody else knows."""
    if not _PLACE.fullmatch(place):
        return None
    key = code.facts.structs.resolve(place, function.variables, function.aliases)
    pointer = code.facts.pointers.get(key)
    if pointer is None or not pointer.declared or not pointer.of(FactKind.STORE, rcu=True):
        return None
    base = _BASE.match(place)
    made = {step.target for step in function.flow.steps if step.kind is StepKind.CALL and "alloc" in step.name}
    return None if base and base[0] in made else pointer


def _followed(function: Function, start: int, variable: str) -> int | None:
    """The first step that follows a variable while it holds what was loaded."""

    def ends(step: Step) -> bool:
        return step.kind is StepKind.GAP or (step.kind in {StepKind.ASSIGN, StepKind.WALK} and step.name == variable)

    reached = sorted(function.flow.after(start, ends))
    return next((number for number in reached if variable in function.flow.steps[number].uses), None)


def _warning(function: Function, step: Step, use: Step, pointer: PointerProtection) -> Hit:
    published = pointer.of(FactKind.STORE, rcu=True)
    return hit_at(
        function,
        step,
        str(pointer.field),
        f"{pointer.field} is declared __rcu, and is loaded and followed without rcu_dereference()",
        (
            *(store.evidence(Role.PUBLISH) for store in published[:1]),
            step_evidence(Role.READER, function, step),
            *((step_evidence(Role.USE, function, use),) if use is not step else ()),
        ),
        question=f"Which lock keeps {pointer.field} from being replaced here?",
        cure="If none: rcu_dereference().",
    )
