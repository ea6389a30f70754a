"""typesafe-reinit: an object of a SLAB_TYPESAFE_BY_RCU cache is cleared or its lock initialised at each allocation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, nothing_found, rule, step_evidence

# A cache and the flags it is made with, in one statement.
_CACHE = re.compile(r"\b(\w++)\s*+=\s*+(?:kmem_cache_create\w*+|KMEM_CACHE)\s*+\([^;]{0,600}?SLAB_TYPESAFE_BY_RCU")
_LOCK_INIT = re.compile(r"(?:raw_)?spin_lock_init|mutex_init|rwlock_init|seqlock_init|seqcount_init")

ZEROED = Example(
    "cleared under a reader's eyes",
    """\
 static struct gadget *gadget_new(struct hub *hub)
 {
-	struct gadget *g = kmem_cache_alloc(gadget_cache, GFP_KERNEL);
+	struct gadget *g = kmem_cache_zalloc(gadget_cache, GFP_KERNEL); // <-- warns

 	if (g)
 		hlist_add_head_rcu(&g->node, &hub->gadgets);
 	return g;
 }

 static int hub_setup(void)
 {
 	gadget_cache = kmem_cache_create("gadget", sizeof(struct gadget), 0,
 					 SLAB_TYPESAFE_BY_RCU, gadget_construct);
 	return gadget_cache ? 0 : -ENOMEM;
 }
""",
)

LOCKED = Example(
    "a lock that a reader may hold is made anew",
    """\
 static struct gadget *gadget_new(struct hub *hub)
 {
 	struct gadget *g = kmem_cache_alloc(gadget_cache, GFP_KERNEL);

 	if (!g)
 		return NULL;
+	spin_lock_init(&g->lock); // <-- warns
 	hlist_add_head_rcu(&g->node, &hub->gadgets);
 	return g;
 }

 static int hub_setup(void)
 {
 	gadget_cache = KMEM_CACHE(gadget, SLAB_TYPESAFE_BY_RCU);
 	return gadget_cache ? 0 : -ENOMEM;
 }
""",
)

CONSTRUCTED = Example(
    "a constructor makes the lock, another cache is cleared",
    """\
+static void gadget_construct(void *memory)
+{
+	struct gadget *g = memory;
+
+	spin_lock_init(&g->lock);
+}
+
+static struct gadget *gadget_new(struct hub *hub)
+{
+	struct gadget *g = kmem_cache_alloc(gadget_cache, GFP_KERNEL);
+
+	if (g)
+		hlist_add_head_rcu(&g->node, &hub->gadgets);
+	return g;
+}
+
+static struct port *port_new(struct hub *hub)
+{
+	struct port *p = kmem_cache_zalloc(port_cache, GFP_KERNEL);
+
+	if (p)
+		hlist_add_head_rcu(&p->node, &hub->ports);
+	return p;
+}
+
+static int hub_setup(void)
+{
+	port_cache = kmem_cache_create("port", sizeof(struct port), 0, SLAB_PANIC, NULL);
+	gadget_cache = kmem_cache_create("gadget", sizeof(struct gadget), 0, SLAB_TYPESAFE_BY_RCU, gadget_construct);
+	return gadget_cache ? 0 : -ENOMEM;
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.6,
    sources=("include/linux/slab.h SLAB_TYPESAFE_BY_RCU", "Documentation/RCU/rculist_nulls.rst"),
    why="""In such a cache the memory of a freed object is used again with no grace period between: a reader may still
    be looking at the old object, or wait for its lock, while the new one is made in its place.""",
    instead="Make locks and counts in the cache's constructor, and set the other members one by one.",
    bad=(ZEROED, LOCKED),
    good=(CONSTRUCTED,),
)
def typesafe_reinit(code: Code) -> Iterator[Hit]:
    """An allocation from a SLAB_TYPESAFE_BY_RCU cache clears the object, or initialises its lock anew."""
    caches = {(image.path, name) for image in code.facts.world.images for name in _CACHE.findall(image.text)}
    if not caches:
        return
    names = {name for _, name in caches}
    for function in code.facts.functions:
        if not function.words & names:
            continue
        for number, step in enumerate(function.flow.steps):
            if step.kind is StepKind.CALL and step.args and (function.path, step.args[0]) in caches:
                if step.name == "kmem_cache_zalloc":
                    yield _warning(function, step, step)
                elif step.name == "kmem_cache_alloc" and (init := _inits(function, number)) is not None:
                    yield _warning(function, init, step)


def _inits(function: Function, number: int) -> Step | None:
    """The initialisation of a lock of the object that a step allocates."""
    target = function.flow.steps[number].target
    for place in sorted(function.flow.after(number)):
        step = function.flow.steps[place]
        called = step.kind is StepKind.CALL and _LOCK_INIT.fullmatch(step.name) and step.args
        if target and called and step.args[0].startswith(f"&{target}->"):
            return step
    return None


def _warning(function: Function, step: Step, allocation: Step) -> Hit:
    cache = allocation.args[0]
    return hit_at(
        function,
        step,
        cache,
        f"{step.name}() on an object of {cache}, which a reader may still hold",
        (
            step_evidence(Role.STORE, function, step),
            nothing_found(Role.DECLARE, f"{cache} is made with SLAB_TYPESAFE_BY_RCU"),
        ),
        question="Do readers check the object's identity before they use what this clears?",
        cure="Initialise it in the cache's constructor.",
    )
