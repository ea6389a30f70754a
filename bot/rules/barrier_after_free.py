"""barrier-after-free: what the callbacks may use is freed first, and they are waited for afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import StepKind
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit, rule

_BARRIERS = frozenset({"rcu_barrier", "srcu_barrier", "kvfree_rcu_barrier"})
_ENDS = re.compile(r"(?:^|_)(?:k?free\w*|destroy|release|put|cleanup|unregister)(?:_|$)")
_MODULE = re.compile(r"(?:^|_)(?:exit|modexit|fini|unload)(?:_|$)")

TABLE = Example(
    "the table goes, then the callbacks that walk it are drained",
    """\
 static void page_free_rcu(struct rcu_head *head)
 {
 	page_free(container_of(head, struct page, rcu_head));
 }

 static void page_unlink(struct page *page)
 {
 	call_rcu(&page->rcu_head, page_free_rcu);
 }

 static void table_free(struct hub *hub)
 {
 	struct table *t = hub->table;

 	hub->table = NULL;
 	if (t) {
 		table_destroy(t);
 		kfree(t); // <-- warns
+		rcu_barrier();
 	}
 }
""",
)

IN_ORDER = Example(
    "the barrier comes first, or is for what is destroyed behind it, or for the module's own code",
    """\
 static void page_free_rcu(struct rcu_head *head)
 {
 	page_free(container_of(head, struct page, rcu_head));
 }

 static void page_unlink(struct page *page)
 {
 	call_rcu(&page->rcu_head, page_free_rcu);
 }

+static void table_free(struct hub *hub)
+{
+	rcu_barrier();
+	kfree(hub->table);
+}
+
+static void hub_free(struct hub *hub)
+{
+	kfree(hub->name);
+	rcu_barrier();
+	kmem_cache_destroy(hub->pages);
+}
+
+static void __exit hub_exit(void)
+{
+	kfree(hub_names);
+	rcu_barrier();
+}
""",
)

NO_CALLBACKS = Example(
    "no callback is queued anywhere in sight",
    """\
+static void table_free(struct hub *hub)
+{
+	kfree(hub->table);
+	rcu_barrier();
+}
""",
)

UNRELATED = Example(
    "the callbacks never look at what was freed",
    """\
 static void page_unlink(struct page *page)
 {
 	call_rcu(&page->rcu_head, page_free_rcu);
 }

+static void hub_stop(struct hub *hub)
+{
+	kfree(hub->scratch); // <-- warns
+	rcu_barrier();
+}
""",
)


@rule(
    level=Level.WARNING,
    confidence=0.5,
    sources=("Documentation/RCU/checklist.rst item 17", "Documentation/RCU/rcubarrier.rst"),
    why="""Until rcu_barrier() returns, callbacks that are queued may still run.  What they use has to be there until
    then, so a barrier behind the last free protects nothing.""",
    instead="Call rcu_barrier() first, and free behind it what the callbacks may use.",
    bad=(TABLE,),
    good=(IN_ORDER, NO_CALLBACKS),
    blind_spots=(UNRELATED,),
    hunk_proves=True,
)
def barrier_after_free(code: Code) -> Iterator[Hit]:
    """rcu_barrier() comes after the last free, which the callbacks may still need."""
    for function in code.facts.in_focus:
        barriers = [] if _MODULE.search(function.name) else _barriers(code, function)
        for barrier in barriers:
            earlier = set(function.flow.before(barrier.step))
            freed = [f for f in code.facts.facts(function) if f.kind is FactKind.FREE and f.step in earlier]
            queued = _queued(code, function.path)
            if freed and queued and not _ends_something_after(function, barrier):
                yield _warning(freed[-1], barrier, queued)


def _queued(code: Code, path: str) -> Fact | None:
    """Where a file hands something to a callback."""
    for function in code.facts.functions:
        if function.path == path and any(word.startswith(("call_rcu", "call_srcu")) for word in function.words):
            for fact in code.facts.facts(function):
                if fact.kind is FactKind.DEFER and fact.name.startswith("call_"):
                    return fact
    return None


def _barriers(code: Code, function: Function) -> list[Fact]:
    return [fact for fact in code.facts.facts(function) if fact.kind is FactKind.WAIT and fact.name in _BARRIERS]


def _ends_something_after(function: Function, barrier: Fact) -> bool:
    """Whether the barrier has something behind it that it may be for."""
    steps = (function.flow.steps[number] for number in function.flow.after(barrier.step))
    return any(step.kind is StepKind.GAP or (step.kind is StepKind.CALL and _ENDS.search(step.name)) for step in steps)


def _warning(freed: Fact, barrier: Fact, queued: Fact) -> Hit:
    return hit(
        freed,
        freed.variable,
        f"{freed.name}() of {freed.variable} comes before {barrier.name}()",
        (queued.evidence(Role.PUBLISH, "queues a callback"), freed.evidence(Role.FREE), barrier.evidence(Role.WAIT)),
        question=f"Can a callback that is still queued use {freed.variable}?",
        cure=f"If so: {barrier.name}() first, and the free behind it.",
    )
