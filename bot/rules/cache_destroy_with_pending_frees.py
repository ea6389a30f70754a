"""cache-destroy-with-pending-frees: a slab cache is destroyed while callbacks that free into it are queued."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.callbacks import Queued, queued
from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

# A completion may count the callbacks.
_BARRIER = re.compile(r"\w*_barrier\w*|unregister_pernet_(?:subsys|device)|wait_for_completion\w*")

DESTROYED = Example(
    "the objects are freed by callbacks now, and the cache goes as before",
    """\
 static void gadget_free_rcu(struct rcu_head *head)
 {
 	kmem_cache_free(gadget_cache, container_of(head, struct gadget, rcu));
 }

 static void gadget_retire(struct gadget *g)
 {
 	list_del_rcu(&g->node);
-	synchronize_rcu();
-	kmem_cache_free(gadget_cache, g);
+	call_rcu(&g->rcu, gadget_free_rcu);
 }

 static void hub_shutdown(void)
 {
 	kmem_cache_destroy(gadget_cache); // <-- warns
 }
""",
)

DRAINED = Example(
    "a barrier first, and kfree_rcu(), which kmem_cache_destroy() waits for by itself",
    """\
+static void gadget_free_rcu(struct rcu_head *head)
+{
+	kmem_cache_free(gadget_cache, container_of(head, struct gadget, rcu));
+}
+
+static void gadget_retire(struct gadget *g, struct port *p)
+{
+	call_rcu(&g->rcu, gadget_free_rcu);
+	kfree_rcu(p, rcu);
+}
+
+static void hub_shutdown(void)
+{
+	rcu_barrier();
+	kmem_cache_destroy(gadget_cache);
+	kmem_cache_destroy(port_cache);
+}
""",
)

CALLER = Example(
    "no caller is in sight that could have the barrier",
    """\
+static void gadget_free_rcu(struct rcu_head *head)
+{
+	kmem_cache_free(gadget_cache, container_of(head, struct gadget, rcu));
+}
+
+static void gadget_retire(struct gadget *g)
+{
+	call_rcu(&g->rcu, gadget_free_rcu);
+}
+
+void gadget_cache_destroy(void)
+{
+	kmem_cache_destroy(gadget_cache);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.7,
    sources=("Documentation/RCU/checklist.rst item 17", "Documentation/RCU/rcubarrier.rst"),
    why="""A callback that runs after kmem_cache_destroy() frees into a cache that is gone.  The cache waits for
    kfree_rcu() by itself, and knows nothing of callbacks.""",
    instead="Call rcu_barrier() before kmem_cache_destroy().",
    bad=(DESTROYED,),
    good=(DRAINED,),
    blind_spots=(CALLER,),
)
def cache_destroy_with_pending_frees(code: Code) -> Iterator[Hit]:
    """A slab cache that RCU callbacks free into is destroyed with no rcu_barrier() before."""
    pending = {cache: place for place in queued(code.facts) for cache in _freed_into(code, place)}
    if not pending:
        return
    for function in code.facts.functions:
        if "kmem_cache_destroy" not in function.words:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is StepKind.CALL and step.name == "kmem_cache_destroy" and step.args:
                place = pending.get((function.path, step.args[0]))
                if place is not None and not _drained(code, function, number):
                    yield _warning(function, step, place)


def _freed_into(code: Code, place: Queued) -> Iterator[tuple[str, str]]:
    """The caches, by file and name, that a callback frees into."""
    callback = code.facts.defined(place.callback, place.where.path)
    for step in callback.flow.steps if callback else ():
        if step.kind is StepKind.CALL and step.name == "kmem_cache_free" and step.args and callback:
            yield callback.path, step.args[0]


def _drained(code: Code, function: Function, number: int) -> bool:
    """Whether a barrier comes before a step, here, in a callee or in a caller, or nothing was queued yet."""
    if any("kmem_cache_create" in word or word == "KMEM_CACHE" for word in function.words):
        return True  # takes back what it made itself
    if any(_barrier(code, function, function.flow.steps[n]) for n in function.flow.before(number)):
        return True
    callers = [(caller, place) for caller, place in code.facts.callers(function) if place >= 0]
    if not callers:
        return not function.static  # its callers are not in sight
    # One that drains is enough: the others are the error paths of an initialisation.
    return any(
        _barrier(code, caller, caller.flow.steps[n]) for caller, place in callers for n in caller.flow.before(place)
    )


def _barrier(code: Code, function: Function, step: Step) -> bool:
    if step.kind is not StepKind.CALL:
        return False
    if _BARRIER.fullmatch(step.name):
        return True
    callee = code.facts.defined(step.name, function.path)
    return callee is not None and any(_BARRIER.fullmatch(word) for word in callee.words)


def _warning(function: Function, step: Step, place: Queued) -> Hit:
    return hit_at(
        function,
        step,
        step.args[0],
        f"kmem_cache_destroy() of {step.args[0]} with {place.callback}() perhaps still queued",
        (step_evidence(Role.NOTE, place.where, place.step), step_evidence(Role.FREE, function, step)),
        question="What waits for the callbacks before the cache goes?",
        cure="If nothing does: rcu_barrier() first.",
    )
