"""Reads that no section covers on a known way: the step that needs one, what it reads, and how control comes there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bot.code.entries import Entries, Entry
from bot.code.facts import Function
from bot.code.needs import Need, Needs, Way
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
    for function in code.in_focus:
        if code.focus is not None and not code.focus.changed(function):
            continue
        told: set[tuple[Need, str]] = set()
        for number in range(len(function.flow.steps)):
            for need, way in needs.at(function, number).items():
                if need.kind not in kinds or (need, function.flow.steps[number].name) in told or _below(code, function, way):
                    continue
                found = _found(code, needs, entries, Exposed(function, number, need, way, None))
                if found is not None:
                    told.add((need, function.flow.steps[number].name))
                    yield found


def _below(code: WorldFacts, function: Function, way: Way) -> bool:
    """Whether another changed function lies on the way down; it speaks for itself."""
    return code.focus is not None and any(lower is not function and code.focus.changed(lower) for lower, _ in way.steps)


def _found(code: WorldFacts, needs: Needs, entries: Entries, place: Exposed) -> Exposed | None:
    function, need = place.function, place.need
    if not needs.open(function, place.number, need):
        return None
    if code.focus is None:
        # Of one way through a whole tree, the entry alone is told.
        begins = entries.begins(function, need)
        return Exposed(function, place.number, need, place.way, Entry(begins, ())) if begins else None
    if needs.dropped(function, place.number, need):
        return place
    entry = entries.way_to(function, need)
    return Exposed(function, place.number, need, place.way, entry) if entry is not None else None
