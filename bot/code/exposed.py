"""Reads that no section covers on a known way: the step that needs one, what it reads, and how control comes there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.code.asked import Need
from bot.code.entries import Entries, Entry
from bot.code.facts import FactKind, Function
from bot.code.needs import Needs, Way
from bot.code.protection import WorldFacts


@dataclass(frozen=True, slots=True)
class Exposed:
    """A step that needs a section; ``entry`` None: the function itself has dropped the section before."""

    function: Function
    number: int
    need: Need
    way: Way
    entry: Entry | None


def exposed(code: WorldFacts, needs: Needs, entries: Entries, kinds: frozenset[str]) -> Iterator[Exposed]:
    """The exposed reads of the functions that a change touches; of all entries, where there is no change.

    Of several changed functions on one way the lowest is told: there the section is nearest to what needs it.
    """
    if code.focus is None:
        yield from _each_once(needs, _exposed(code, needs, entries, kinds))
    else:
        yield from _exposed(code, needs, entries, kinds)


def _each_once(needs: Needs, places: Iterable[Exposed]) -> Iterator[Exposed]:
    """One entry for each place that lacks the section: the last before a function that is known to need it."""
    seen: set[tuple[Function, int]] = set()
    for place in places:
        own = [step for step in place.way.steps if step[0].name not in needs.known.contracts]
        if own and own[-1] not in seen:
            seen.add(own[-1])
            yield place


def _exposed(code: WorldFacts, needs: Needs, entries: Entries, kinds: frozenset[str]) -> Iterator[Exposed]:
    for function in code.functions if code.focus is None else code.in_focus:
        if code.focus is not None and not code.focus.changed(function):
            continue
        told: set[tuple[Need, str]] = set()
        for number in needs.places(function):
            name = function.flow.steps[number].name
            for need, way in needs.at(function, number).items():
                place = Exposed(function, number, need, way, None)
                if need.kind not in kinds or (need, name) in told or _lower_speaks(code, entries, place):
                    continue
                found = _found(code, needs, entries, place)
                if found is not None:
                    told.add((need, name))
                    yield found


def _lower_speaks(code: WorldFacts, entries: Entries, place: Exposed) -> bool:
    """Whether another changed function lies on the way down, or another entry: it is told of itself."""
    lower = [function for function, _ in place.way.steps if function is not place.function]
    if code.focus is None:
        return any(entries.begins(function, place.need) for function in lower)
    return any(code.focus.changed(function) for function in lower)


def _never_taken_off(code: WorldFacts, place: Exposed) -> bool:
    """Whether the read walks a list that only grows, as far as is in sight: nothing of it is ever freed."""
    reader, number = place.way.steps[-1]
    for fact in code.facts(reader):
        found = code.list_of(fact) if fact.step == number and fact.kind is FactKind.WALK else None
        if found is not None:
            return bool(found.of(FactKind.ADD)) and not found.of(FactKind.UNLINK)
    return False


def _found(code: WorldFacts, needs: Needs, entries: Entries, place: Exposed) -> Exposed | None:
    function, need = place.function, place.need
    if not needs.open(function, place.number, need) or _never_taken_off(code, place):
        return None
    if code.focus is None:
        # Of one way through a whole tree, the entry alone is told.
        begins = entries.begins(function, need)
        return replace(place, entry=Entry(begins, ())) if begins else None
    if needs.dropped(function, place.number, need):
        return place
    entry = entries.way_to(function, need)
    return replace(place, entry=entry) if entry is not None else None
