"""Where objects that RCU readers may see are taken away: off a list, or out of a pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.code.entries import Entries, Entry
from bot.code.facts import Fact, FactKind
from bot.code.flow import StepKind
from bot.code.lifetime import Freed, Lifetime
from bot.code.protection import ListProtection, PointerProtection, WorldFacts
from bot.code.reads import anything_held
from bot.code.structs import LOCAL, NOWHERE, Key
from bot.code.vocabulary import READS, SPLICED_ONTO, SPLICES, UPDATER_READS

_NULL = re.compile(r"\(?NULL\)?|0|\(void\s?\*\)\s?0")


@dataclass(frozen=True, slots=True)
class Unlink:
    """A node leaves a list; ``excuse`` says why no reader can be there, "" when nothing does."""

    fact: Fact
    protection: ListProtection
    head: Key
    excuse: str = ""


@dataclass(frozen=True, slots=True)
class Retirement:
    """A published pointer gets another value, while ``old`` holds the one that readers may still use."""

    fact: Fact
    protection: PointerProtection
    old: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """An object that its publisher frees again with no grace period; ``place`` is the removal, or the free itself."""

    published: Fact
    place: Fact
    variable: str
    freed: Freed
    list: ListProtection | None = None


def unlinks(code: WorldFacts, lifetime: Lifetime, *, rcu: bool) -> Iterator[Unlink]:
    """Removals, by the plain or by the RCU form, of nodes that are on an RCU list and were not made just there.

    For the RCU form the list need not be seen to be one: the primitive says so.
    """
    for protection in code.lists.values():
        for fact in protection.of(FactKind.UNLINK, rcu=rcu):
            head = protection.head_of(fact) or (protection.node if rcu else None)
            if head is None or not (rcu or head in protection.rcu_heads):
                continue
            if not lifetime.private(fact.where, fact):
                yield Unlink(fact, protection, head, lifetime.excuse(fact.where, fact))


def over_unknown_head(unlink: Unlink) -> bool:
    """Whether the function takes the node from a walk over a list that it was only handed: any list, perhaps."""
    removal = unlink.fact
    return any(
        walk.where is removal.where and walk.variable == removal.variable and not walk.head.known
        for walk in unlink.protection.of(FactKind.WALK)
    )


def carried_away(code: WorldFacts, lifetime: Lifetime) -> Iterator[tuple[Fact, ListProtection]]:
    """Plain splices of all that is on a head which RCU readers walk, and that some reader may know."""
    heads = _walked_heads(code)
    for fact in code.all_facts:
        carries = fact.kind is FactKind.UNLINK and fact.name in SPLICES and fact.head in heads
        if carries and not lifetime.owner_private(fact) and not lifetime.waited_before(fact):
            yield fact, heads[fact.head]


@dataclass(frozen=True, slots=True)
class SplicedOnto:
    """A plain splice: entries join the list on ``head``, which RCU readers walk.

    ``walk`` is one that does so plainly, in a function that is called inside a section, with the ``way`` to it.
    """

    fact: Fact
    protection: ListProtection
    head: Key
    walk: Fact | None = None
    way: Entry | None = None


def spliced_onto(code: WorldFacts, lifetime: Lifetime, entries: Entries) -> Iterator[SplicedOnto]:
    """Plain splices onto a head which RCU readers walk, and that some reader may know."""
    heads = _walked_heads(code)
    for fact in code.all_facts:
        head = onto(code, fact)
        if not head.known or head.owner == LOCAL:
            continue
        place = fact.where.flow.steps[fact.step].args[SPLICED_ONTO[fact.name]]
        if lifetime.unpublished_owner(fact.where, place, fact.step):
            continue
        if head in heads:
            shown = tuple(other for other in heads[head].facts if other.head == head)
            yield SplicedOnto(fact, ListProtection(heads[head].node, shown), head)
        else:
            for walk, protection in _plain_walks_of(code, head):
                if way := entries.from_section(walk.where):
                    yield SplicedOnto(fact, protection, head, walk, way)
                    break


def _plain_walks_of(code: WorldFacts, head: Key) -> Iterator[tuple[Fact, ListProtection]]:
    """The walks over a head by a primitive for updaters, where the function holds nothing."""
    for protection in code.lists.values():
        for walk in protection.of(FactKind.WALK, rcu=False):
            if walk.head == head and not anything_held(walk.where, walk.step):
                yield walk, protection


def onto(code: WorldFacts, fact: Fact) -> Key:
    """The head that gets the entries of a splice; NOWHERE for anything else."""
    place = SPLICED_ONTO.get(fact.name) if fact.kind is FactKind.UNLINK else None
    args = fact.where.flow.steps[fact.step].args
    if place is None or place >= len(args):
        return NOWHERE
    return code.structs.resolve(args[place], fact.where.variables, fact.where.aliases)


def _walked_heads(code: WorldFacts) -> dict[Key, ListProtection]:
    """The heads from which RCU readers walk."""
    return {
        head: protection
        for protection in code.lists.values()
        for head in protection.rcu_heads
        if head.known and head.owner != LOCAL
        if any(walk.head == head for walk in protection.of(FactKind.WALK, rcu=True))
    }


def retirements(code: WorldFacts) -> Iterator[Retirement]:
    """RCU stores to a pointer whose old value a variable of the function holds."""
    for protection in code.pointers.values():
        for fact in protection.of(FactKind.STORE, rcu=True):
            for variable in _old_values(code, fact):
                yield Retirement(fact, protection, variable)


def _old_values(code: WorldFacts, store: Fact) -> Iterator[str]:
    """Variables that were loaded from the pointer before it was stored to, or that took what it replaced."""
    flow = store.where.flow
    step = flow.steps[store.step]
    if step.name == "rcu_replace_pointer" and step.target:
        yield step.target
    seen: set[str] = set()
    for number in flow.before(store.step):
        earlier = flow.steps[number]
        loaded = (
            earlier.target
            if earlier.kind is StepKind.CALL and earlier.name in UPDATER_READS | READS.keys()
            else earlier.name
            if earlier.kind is StepKind.ASSIGN and earlier.name.isidentifier()
            else ""
        )
        source = earlier.args[0] if earlier.kind is StepKind.CALL and earlier.args else earlier.value
        if not loaded or loaded in seen or loaded == store.value:
            continue
        key = code.structs.resolve(source, store.where.variables, store.where.aliases)
        if key == store.head and source == step.args[0]:
            seen.add(loaded)
            yield loaded


def taken_back(code: WorldFacts, lifetime: Lifetime) -> Iterator[TakenBack]:
    """Objects that a function publishes and then frees, on some path with no wait between."""
    for protection in code.lists.values():
        removals = protection.of(FactKind.UNLINK)
        for add in protection.of(FactKind.ADD, rcu=True):
            if add.head.owner == LOCAL or lifetime.owner_private(add) or lifetime.stated(add.where, add):
                continue
            found = _taken_back(code, lifetime, add, add.variable, removals)
            if found is not None:
                yield replace(found, list=protection)
    for pointer in code.pointers.values():
        for store in pointer.of(FactKind.STORE, rcu=True):
            if store.value.isidentifier() and not is_null(store.value) and not lifetime.owner_private(store):
                found = _taken_back(code, lifetime, store, store.value, ())
                if found is not None:
                    yield found


def _taken_back(
    code: WorldFacts, lifetime: Lifetime, published: Fact, variable: str, removals: Sequence[Fact]
) -> TakenBack | None:
    function = published.where
    reached = set(lifetime.until_wait(function, published.step, variable))
    for removal in removals:
        if removal.where is function and removal.variable == variable and removal.step in reached:
            freed = next(lifetime.freed(function, removal.step, variable), None)
            if freed is not None and not lifetime.stated(function, removal):
                return TakenBack(published, removal, variable, freed)
    for fact in code.facts(function):
        # A callee that frees may only drop the publisher's own reference, so a free in plain sight is asked for.
        if fact.kind is not FactKind.FREE or fact.value or fact.variable != variable or fact.step not in reached:
            continue
        if not lifetime.waits_between(function, published.step, fact.step):
            return TakenBack(published, fact, variable, Freed(fact, fact.line, fact.code))
    return None


def is_null(value: str) -> bool:
    return _NULL.fullmatch(value.strip()) is not None
