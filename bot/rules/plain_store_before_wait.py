"""plain-store-before-wait: a replaced object waits for its readers, and the store that replaced it is plain."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.removal import is_null
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_FREES = re.compile(r"(?:^|_)(?:k|kv|v)?(?:free|put|destroy|release|kfree)(?:_|$)")


REPLACED = Example(
    "the old map is freed after a grace period, so readers follow the pointer that is stored plainly",
    """\
 static int hub_set_map(struct hub *hub, struct map *map)
 {
+	struct map *old;
+
-	map_free(hub->state.map);
+	old = hub->state.map;
 	hub->state.map = map; // <-- warns
 	hub->state.level = 1;
+	synchronize_rcu();
+	map_free(old);
 	return 0;
 }
""",
)

PUBLISHED = Example(
    "rcu_assign_pointer(), NULL, a store with its own barrier, a wait for something else",
    """\
 static void hub_set_map(struct hub *hub, struct map *map)
 {
 	struct map *old = hub->map;

-	map_free(hub->map);
+	rcu_assign_pointer(hub->map, map);
+	synchronize_rcu();
+	map_free(old);
 }

+static void hub_set_bus(struct hub *hub, struct bus *bus)
+{
+	struct bus *old = hub->bus;
+
+	smp_store_release(&hub->bus, bus);
+	synchronize_rcu();
+	bus_free(old);
+}
+
+static void hub_clear(struct hub *hub)
+{
+	struct line *old = hub->line;
+
+	hub->line = NULL;
+	synchronize_rcu();
+	kfree(old);
+}
+
+static void hub_settle(struct hub *hub, int state)
+{
+	struct cache *cache = hub->cache;
+
+	hub->state = state;
+	list_del_rcu(&cache->node);
+	synchronize_rcu();
+	cache_free(cache);
+}
""",
)

FLAG = Example(
    "the wait is for readers of another pointer that leads to the same object",
    """\
+static void hub_swap(struct hub *hub, struct map *map)
+{
+	struct map *old = hub->own_map;
+
+	hub->own_map = map; // <-- warns
+	hub_publish(hub, map);
+	synchronize_rcu();
+	map_free(old);
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.65,
    sources=("Documentation/RCU/checklist.rst item 4e", "include/linux/rcupdate.h rcu_assign_pointer()"),
    why="""The wait is there for readers that may still follow the old pointer.  The same readers may load the new one
    before the stores that filled the object behind it, since nothing orders a plain store after them.""",
    instead="rcu_assign_pointer(), and __rcu on the field so that sparse sees the next one.",
    bad=(REPLACED,),
    good=(PUBLISHED,),
    blind_spots=(FLAG,),
    hunk_proves=True,
)
def plain_store_before_wait(code: Code) -> Iterator[Hit]:
    """An object is replaced by a plain store, and freed after a grace period that says who reads it."""
    for function in code.facts.in_focus:
        waits = [f for f in code.facts.facts(function) if f.kind is FactKind.WAIT and f.name.startswith("synchronize_")]
        if not waits:
            continue
        steps, flow = function.flow.steps, function.flow
        for number, step in enumerate(steps):
            if step.kind is not StepKind.ASSIGN or "->" not in step.name or is_null(step.value):
                continue
            old = _saved(steps, flow.before(number), step)
            if old is None:
                continue
            behind = set(flow.after(number))
            wait = next((fact for fact in waits if fact.step in behind), None)
            freed = _freed(steps, flow.after(wait.step), old.name) if wait else None
            if wait is not None and freed is not None:
                key = code.facts.structs.resolve(step.name, function.variables, function.aliases)
                yield _warning(function, (old, step), wait, freed, str(key) if key.known else step.name)
                break


def _saved(steps: tuple[Step, ...], before: Iterator[int], store: Step) -> Step | None:
    """The step before a store that keeps the old value in a variable."""
    found = (steps[number] for number in before)
    return next(
        (s for s in found if s.kind is StepKind.ASSIGN and s.value == store.name and s.name.isidentifier()), None
    )


def _freed(steps: tuple[Step, ...], behind: Iterator[int], old: str) -> Step | None:
    calls = (steps[number] for number in behind if steps[number].kind is StepKind.CALL)
    return next((step for step in calls if old in step.args and _FREES.search(step.name)), None)


def _warning(function: Function, stored: tuple[Step, Step], wait: Fact, freed: Step, subject: str) -> Hit:
    old, store = stored
    return hit_at(
        function,
        store,
        subject,
        f"{store.name} is stored plainly; {wait.name}() waits for those who read it",
        (
            step_evidence(Role.NOTE, function, old),
            step_evidence(Role.STORE, function, store),
            wait.evidence(Role.WAIT),
            step_evidence(Role.FREE, function, freed),
        ),
        question=f"Who follows {store.name} in a read-side section?",
        cure=f"If anybody: rcu_assign_pointer({store.name}, {store.value}).",
    )
