"""srcu-domain-mismatch: a section or a wait of one SRCU domain, around what another one protects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.contract import held_by_caller
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import StepKind
from bot.code.inside import opened
from bot.code.srcu import Domain, domain_of, read_at, waited_for
from bot.code.vocabulary import READ_SIDE, SRCU, WALKS
from bot.model import Hit, Level, Role
from bot.rule import Code, Example, hit_at, rule, step_evidence

_DEREFERENCE = re.compile(r"srcu_dereference(?:_check|_notrace)?")
_CONDITION = re.compile(r"^srcu_read_lock_held\((.+)\)$")

READER = Example(
    "the section is of one domain, the dereference names another",
    """\
 static int hub_route(struct hub *hub, int pin)
 {
 	struct route *r;
 	int idx, ret = 0;

-	idx = srcu_read_lock(&hub->irq_srcu);
+	idx = srcu_read_lock(&hub->srcu);
 	r = srcu_dereference(hub->routes, &hub->irq_srcu); // <-- warns
 	if (r)
 		ret = r->target[pin];
-	srcu_read_unlock(&hub->irq_srcu, idx);
+	srcu_read_unlock(&hub->srcu, idx);
 	return ret;
 }
""",
)

UPDATER = Example(
    "the updater waits for the readers of another domain",
    """\
 struct hub { struct srcu_struct srcu, irq_srcu; struct bus __rcu *bus; };

 static int hub_write(struct hub *hub, int value)
 {
 	int idx = srcu_read_lock(&hub->srcu);
 	struct bus *bus = srcu_dereference(hub->bus, &hub->srcu);
 	int ret = bus ? bus_write(bus, value) : -ENODEV;

 	srcu_read_unlock(&hub->srcu, idx);
 	return ret;
 }

 static void hub_replace(struct hub *hub, struct bus *new)
 {
 	struct bus *old = rcu_dereference_protected(hub->bus, lockdep_is_held(&hub->lock));

 	rcu_assign_pointer(hub->bus, new);
-	synchronize_srcu(&hub->srcu);
+	synchronize_srcu(&hub->irq_srcu); // <-- warns
 	kfree(old);
 }
""",
)

MATCHED = Example(
    "two domains on two objects, and both around one",
    """\
 struct hub { struct srcu_struct srcu, track_srcu; struct bus __rcu *bus; struct track __rcu *track; };

+static int hub_write(struct hub *hub, int value)
+{
+	struct track *t;
+	struct bus *bus;
+	int a, b, ret = 0;
+
+	a = srcu_read_lock(&hub->srcu);
+	b = srcu_read_lock(&hub->track_srcu);
+	bus = srcu_dereference(hub->bus, &hub->srcu);
+	t = srcu_dereference(hub->track, &hub->track_srcu);
+	if (bus && t)
+		ret = bus_write(bus, t, value);
+	srcu_read_unlock(&hub->track_srcu, b);
+	srcu_read_unlock(&hub->srcu, a);
+	return ret;
+}
+
+static void hub_replace(struct hub *hub, struct bus *new, struct track *track)
+{
+	struct bus *old = rcu_dereference_protected(hub->bus, lockdep_is_held(&hub->lock));
+
+	rcu_assign_pointer(hub->bus, new);
+	rcu_assign_pointer(hub->track, track);
+	synchronize_srcu(&hub->track_srcu);
+	synchronize_srcu(&hub->srcu);
+	kfree(old);
+}
""",
)

PASSED_ON = Example(
    "the domain is a parameter",
    """\
+static void hub_wait(struct hub *hub, struct srcu_struct *domain)
+{
+	rcu_assign_pointer(hub->bus, NULL);
+	synchronize_srcu(domain);
+}
""",
)


@rule(
    level=Level.ERROR,
    confidence=0.85,
    sources=("Documentation/RCU/checklist.rst item 7", "Documentation/RCU/checklist.rst item 13"),
    why="""Readers of one srcu_struct are invisible to another: a section holds up the grace periods of its own domain
    alone, and a wait sees the readers of its own domain alone.""",
    instead="Lock, dereference and wait with the one srcu_struct that belongs to the object.",
    bad=(READER, UPDATER),
    good=(MATCHED,),
    blind_spots=(PASSED_ON,),
)
def srcu_domain_mismatch(code: Code) -> Iterator[Hit]:
    """A section or a grace period of an SRCU domain that is not the one which protects the object."""
    for function in code.facts.in_focus:
        yield from _reads(code, function)
    for fact in code.facts.all_facts:
        if fact.kind is FactKind.STORE and fact.rcu:
            yield from _update(code, fact)


def _named(code: Code, function: Function, number: int) -> Domain | None:
    """The domain that a dereference or a walk says it is protected by."""
    step = function.flow.steps[number]
    if step.kind is StepKind.CALL and _DEREFERENCE.fullmatch(step.name) and len(step.args) > 1:
        return domain_of(code.facts, function, step.args[1])
    if step.kind is not StepKind.WALK or step.name not in WALKS or WALKS[step.name].flavour != SRCU:
        return None
    found = _CONDITION.match(step.args[-1]) if step.args else None
    return domain_of(code.facts, function, found[1]) if found else None


def _reads(code: Code, function: Function) -> Iterator[Hit]:
    for number, step in enumerate(function.flow.steps):
        named = _named(code, function, number)
        held = list(read_at(code.facts, function, number)) if named else []
        if named is None or not held or not all(domain.differs(named) for domain, _ in held):
            continue
        opener = opened(code.facts, function, number, (SRCU,))
        more = len(function.held[number].ever(READ_SIDE)) > len(held)  # on some way another section is open too
        if opener is None or more or held_by_caller(code.facts, function):
            continue
        yield hit_at(
            function,
            step,
            str(named),
            f"{step.name}() says {named}, and the section is of {held[0][0]}",
            (
                step_evidence(Role.LOCK, function, function.flow.steps[opener[1]]),
                step_evidence(Role.READER, function, step),
            ),
            question=f"Does the caller hold {named}?",
            cure=f"If not: take a section of {named}.",
        )


def _update(code: Code, store: Fact) -> Iterator[Hit]:
    """The waits behind a publication, when none of them is for the domain of its readers."""
    pointer = code.facts.pointers.get(store.head)
    reads = [] if pointer is None else [read for read in pointer.of(FactKind.READ) if read.flavour == SRCU]
    domains = [(read, named) for read in reads if (named := _named(code, read.where, read.step))]
    if not domains or len({named.key for _, named in domains}) > 1:
        return
    read, named = domains[0]
    steps = store.where.flow.steps
    waits = [
        (number, waited)
        for number in sorted(store.where.flow.after(store.step))
        if code.lifetime.is_wait(steps[number], store.where)
        for waited in (waited_for(code.facts, store.where, steps[number]),)
    ]
    if not waits or any(waited is None or not waited.differs(named) for _, waited in waits):
        return
    number, waited = waits[0]
    yield hit_at(
        store.where,
        steps[number],
        str(store.head),
        f"{steps[number].name}() waits for {waited}; {store.head} is read under {named}",
        (
            store.evidence(Role.PUBLISH),
            read.evidence(Role.READER),
            step_evidence(Role.WAIT, store.where, steps[number]),
        ),
        cure=f"Wait for {named}.",
    )
