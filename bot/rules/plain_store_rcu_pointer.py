"""plain-store-rcu-pointer: '=' publishes what rcu_assign_pointer() should."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind
from bot.code.flow import StepKind
from bot.code.protection import PointerProtection
from bot.code.removal import is_null
from bot.model import Evidence, Hit, Level, Role
from bot.rule import Code, Example, hit, rule

# Values that are published already, are no address yet, or say themselves that they know what they do.
_SETTLED = re.compile(r"rcu_|RCU_INITIALIZER|xchg|__rcu\b|__force|ERR_PTR|unrcu_pointer|NULL")

MAP = Example(
    "a new map is stored with a plain assignment",
    """\
 struct map { int nr; };
 struct vm { struct mutex lock; struct map __rcu *map; };

 static int map_size(struct vm *vm)
 {
 	struct map *map;

 	guard(rcu)();
 	map = rcu_dereference(vm->map);
 	return map ? map->nr : 0;
 }

 static void map_install(struct vm *vm, struct map *new)
 {
 	mutex_lock(&vm->lock);
-	rcu_assign_pointer(vm->map, new);
+	vm->map = new; // <-- warns
 	mutex_unlock(&vm->lock);
 }
""",
)

SETTLED = Example(
    "NULL, an initialiser, a value that readers have already, an object that nobody sees yet",
    """\
 struct map { int nr; };
 struct vm { struct map __rcu *map; struct map *spare; };

 static int map_size(struct vm *vm)
 {
 	struct map *map;

 	guard(rcu)();
 	map = rcu_dereference(vm->map);
 	return map ? map->nr : 0;
 }

+static struct vm *vm_make(struct map *map, struct vm *parent)
+{
+	struct vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
+
+	if (!vm)
+		return NULL;
+	vm->map = map;
+	vm->spare = map;
+	RCU_INIT_POINTER(parent->map, NULL);
+	parent->map = NULL;
+	parent->map = rcu_dereference_protected(vm->map, 1);
+	return vm;
+}
""",
)

BOOT = Example(
    "a caller that has not made the owner visible yet",
    """\
 struct map { int nr; };
 struct vm { struct map __rcu *map; };

 static int map_size(struct vm *vm)
 {
 	guard(rcu)();
 	return rcu_dereference(vm->map)->nr;
 }

+static void vm_prepare(struct vm *vm, struct map *map)
+{
+	vm->map = map; // <-- warns
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 4e", "include/linux/rcupdate.h rcu_assign_pointer()"),
    why="""A plain store may become visible before the stores that filled the object, and the compiler may tear it.  A
    reader then follows the pointer into an object that is not there yet.""",
    instead="rcu_assign_pointer() to publish; RCU_INIT_POINTER() for NULL and for objects that no reader can see.",
    bad=(MAP,),
    good=(SETTLED,),
    blind_spots=(BOOT,),
    replaces=("publication-made-plain",),
)
def plain_store_rcu_pointer(code: Code) -> Iterator[Hit]:
    """A pointer that RCU readers follow is set with a plain assignment."""
    for pointer in code.facts.pointers.values():
        readers = pointer.of(FactKind.READ)
        if not readers or not (pointer.declared or pointer.of(FactKind.STORE, rcu=True)):
            continue
        for store in pointer.of(FactKind.STORE, rcu=False):
            if not _published(store) or code.lifetime.owner_private(store):
                continue
            if not code.lifetime.stated(store.where, store):
                yield _warning(store, pointer)


def _published(store: Fact) -> bool:
    """Whether a plain store makes an object visible that was not."""
    if is_null(store.value) or _SETTLED.search(store.value):
        return False
    loaded = {
        step.target
        for step in store.where.flow.steps
        if step.kind is StepKind.CALL and "rcu" in step.name and step.target
    }
    return store.value not in loaded


def _warning(store: Fact, pointer: PointerProtection) -> Hit:
    evidence: tuple[Evidence, ...] = (store.evidence(Role.STORE), *pointer.who_reads())
    return hit(
        store,
        str(pointer.field),
        f"plain store to {pointer.field}, which RCU readers follow",
        evidence,
        question=f"Can a reader follow {pointer.field} while {store.function}() runs?",
        cure=f"If so: rcu_assign_pointer({store.name}, ...).",
    )
