"""module-exit-without-rcu-barrier: a module unloads while its RCU callbacks may still be queued."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.callbacks import Queued, queued
from bot.code.facts import Function
from bot.code.flow import StepKind
from bot.model import Hit, Image, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_EXIT = re.compile(r"^module_exit\s*\(\s*(\w+)\s*\)", re.MULTILINE)
# The latter two call rcu_barrier() (net/core/net_namespace.c).
_BARRIER = re.compile(r"\w*_barrier\w*|unregister_pernet_(?:subsys|device)")
_DEPTH = 3

NO_BARRIER = Example(
    "the first callback of a module whose exit waits for nothing",
    """\
 static void gadget_free_rcu(struct rcu_head *head)
 {
 	kmem_cache_free(gadget_cache, container_of(head, struct gadget, rcu));
 }

 static void gadget_retire(struct gadget *g)
 {
 	list_del_rcu(&g->node);
-	kfree_rcu(g, rcu);
+	call_rcu(&g->rcu, gadget_free_rcu); // <-- warns
 }

 static void __exit gadget_exit(void)
 {
 	misc_deregister(&gadget_device);
 }
 module_exit(gadget_exit);
""",
)

BARRIER = Example(
    "a barrier, in the exit function or in its callee",
    """\
+static void gadget_free_rcu(struct rcu_head *head)
+{
+	kmem_cache_free(gadget_cache, container_of(head, struct gadget, rcu));
+}
+
+static void gadget_retire(struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
+
+static void gadget_drain(void)
+{
+	misc_deregister(&gadget_device);
+	rcu_barrier();
+}
+
+static void __exit gadget_exit(void)
+{
+	gadget_drain();
+}
+module_exit(gadget_exit);
""",
)

HEADS_ONLY = Example(
    "kfree_rcu() needs no code of the module's",
    """\
+static void gadget_retire(struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	kfree_rcu(g, rcu);
+}
+
+static void __exit gadget_exit(void)
+{
+	misc_deregister(&gadget_device);
+}
+module_exit(gadget_exit);
""",
)

OTHER_FILE = Example(
    "the exit calls a function of the module's other file",
    """\
+static void gadget_free_rcu(struct rcu_head *head)
+{
+	kmem_cache_free(gadget_cache, container_of(head, struct gadget, rcu));
+}
+
+static void gadget_retire(struct gadget *g)
+{
+	list_del_rcu(&g->node);
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
+
+static void __exit gadget_exit(void)
+{
+	gadget_drain_all();
+}
+module_exit(gadget_exit);
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("Documentation/RCU/checklist.rst item 17", "Documentation/RCU/rcubarrier.rst"),
    why="""A callback that is still queued when the module is gone jumps to memory that is no longer code.  A grace
    period does not help: only rcu_barrier() waits until the callbacks have run.""",
    instead="Call rcu_barrier() in the exit function, once nothing can queue any more; or use kfree_rcu().",
    bad=(NO_BARRIER,),
    good=(BARRIER, HEADS_ONLY),
    blind_spots=(OTHER_FILE,),
)
def module_exit_without_rcu_barrier(code: Code) -> Iterator[Hit]:
    """A module queues RCU callbacks of its own, and its exit function has no rcu_barrier()."""
    told: set[str] = set()
    for place in queued(code.facts):
        image = place.where.image
        if image.path in told or not image.whole:
            continue
        callback = code.facts.defined(place.callback, image.path)
        leave = _exit(code, image) if callback is not None and callback.path == image.path else None
        if leave is not None and not _drains(code, leave, _DEPTH):
            told.add(image.path)
            yield _warning(place, leave)


def _exit(code: Code, image: Image) -> Function | None:
    """The exit function of the module that a file is, None when it cannot be unloaded."""
    found = _EXIT.search(image.text)
    return code.facts.defined(found[1], image.path) if found else None


def _drains(code: Code, function: Function, depth: int) -> bool:
    """Whether a function has a barrier inside, or calls one of the module's that is not in sight."""
    own = function.name.split("_")[0]
    for step in function.flow.steps:
        if step.kind is not StepKind.CALL:
            continue
        if _BARRIER.fullmatch(step.name):
            return True
        callee = code.facts.defined(step.name, function.path)
        if callee is None and step.name.startswith(f"{own}_"):
            return True
        if callee is not None and callee is not function and depth > 0 and _drains(code, callee, depth - 1):
            return True
    return False


def _warning(place: Queued, leave: Function) -> Hit:
    evidence = (
        step_evidence(Role.NOTE, place.where, place.step),
        step_evidence(Role.FREE, leave, leave.flow.steps[-1]),
    )
    return hit_at(
        place.where,
        place.step,
        place.callback,
        f"{place.step.name}() queues {place.callback}(), and {leave.name}() does not wait for it to run",
        evidence,
        question="Can the module be unloaded with callbacks queued?",
        cure=f"rcu_barrier() in {leave.name}().",
    )
