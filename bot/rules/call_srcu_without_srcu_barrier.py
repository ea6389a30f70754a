"""call-srcu-without-srcu-barrier: an SRCU domain is taken down while its callbacks may still be queued."""

from __future__ import annotations

from collections.abc import Iterator

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.srcu import Domain, domain_of
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

QUEUED = Example(
    "the first callback of a domain that nobody drains",
    """\
 struct hub { struct srcu_struct srcu; struct bus __rcu *bus; };

 static void hub_destroy(struct hub *hub)
 {
 	cleanup_srcu_struct(&hub->srcu);
 	kfree(hub);
 }

 static void hub_replace(struct hub *hub, struct bus *new)
 {
 	struct bus *old = rcu_replace_pointer(hub->bus, new, lockdep_is_held(&hub->lock));

-	synchronize_srcu(&hub->srcu);
-	kfree(old);
+	call_srcu(&hub->srcu, &old->rcu, bus_free_rcu); // <-- warns
 }
""",
)

UNDRAINED = Example(
    "the barrier goes",
    """\
 static void hub_destroy(struct hub *hub)
 {
-	srcu_barrier(&hub->srcu);
 	cleanup_srcu_struct(&hub->srcu);
 }

 static void bus_retire(struct hub *hub, struct bus *old)
 {
 	call_srcu(&hub->srcu, &old->rcu, bus_free_rcu); // <-- warns
 }
""",
)

DRAINED = Example(
    "a barrier before the cleanup, in the function or in its caller, and a domain without callbacks",
    """\
 struct hub { struct srcu_struct srcu, irq_srcu, track_srcu; };

 static void hub_cleanup(struct hub *hub)
 {
 	cleanup_srcu_struct(&hub->track_srcu);
 	cleanup_srcu_struct(&hub->irq_srcu);
 	cleanup_srcu_struct(&hub->srcu);
 	kfree(hub);
 }

 static void hub_destroy(struct hub *hub)
 {
 	srcu_barrier(&hub->srcu);
 	hub_cleanup(hub);
 }

+static void bus_retire(struct hub *hub, struct bus *old)
+{
+	synchronize_srcu(&hub->irq_srcu);
+	call_srcu(&hub->srcu, &old->rcu, bus_free_rcu);
+}
""",
)

ELSEWHERE = Example(
    "the cleanup is in a file that is not in sight",
    """\
+static void bus_retire(struct hub *hub, struct bus *old)
+{
+	call_srcu(&hub->srcu, &old->rcu, bus_free_rcu);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.9,
    sources=("Documentation/RCU/checklist.rst item 17", "Documentation/RCU/checklist.rst item 8"),
    why="""cleanup_srcu_struct() frees what queued callbacks need.  A grace period does not run them: only
    srcu_barrier() waits until they have been called.""",
    instead="Call srcu_barrier() on the domain before cleanup_srcu_struct().",
    bad=(QUEUED, UNDRAINED),
    good=(DRAINED,),
    blind_spots=(ELSEWHERE,),
    hunk_proves=True,
)
def call_srcu_without_srcu_barrier(code: Code) -> Iterator[Hit]:
    """Callbacks are queued on an SRCU domain that is cleaned up with no srcu_barrier() before."""
    queued = list(_calls(code, "call_srcu"))
    if not queued:
        return
    cleanups, barriers = list(_calls(code, "cleanup_srcu_struct")), list(_calls(code, "srcu_barrier"))
    told: set[Domain] = set()
    for function, step, domain in queued:
        cleanup = next((place for place in cleanups if place[2].same_field(domain)), None)
        if cleanup is None or domain in told or not domain.key.known:
            continue
        # A barrier on a domain that is a parameter may be meant for this one.
        drained = any(not other.differs(domain) for _, _, other in barriers)
        if not drained and not cleanup[0].flow.has_gap:
            told.add(domain)
            yield _warning(function, step, domain, cleanup)


def _calls(code: Code, name: str) -> Iterator[tuple[Function, Step, Domain]]:
    """The calls of an SRCU function in the world, with the domain."""
    for function in code.facts.functions:
        if name in function.words:
            for step in function.flow.steps:
                if step.kind is StepKind.CALL and step.name == name and step.args:
                    yield function, step, domain_of(code.facts, function, step.args[0])


def _warning(function: Function, step: Step, domain: Domain, cleanup: tuple[Function, Step, Domain]) -> Hit:
    evidence = (
        step_evidence(Role.WAIT, function, step),
        step_evidence(Role.FREE, cleanup[0], cleanup[1]),
    )
    return hit_at(
        function,
        step,
        str(domain),
        f"call_srcu() on {domain}, and nothing drains it before {cleanup[0].name}() cleans it up",
        evidence,
        question="What waits for the callbacks that are still queued then?",
        cure=f"srcu_barrier() on {domain} before cleanup_srcu_struct().",
    )
