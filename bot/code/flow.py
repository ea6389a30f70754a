"""One function as a graph of steps: branches, loops, gotos, early returns, and the ends of guard() scopes.

A step is one thing that happens: a call, an assignment, a turn of a list walk, a return.  Steps follow evaluation order
closely enough for locks and lists.  A branch splits into two ASSUME steps, so that a path carries its conditions.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

_WORD = re.compile(r"\w+")


class StepKind(enum.Enum):
    CALL = enum.auto()
    ASSIGN = enum.auto()
    WALK = enum.auto()  # one turn of an iterator macro
    ASSUME = enum.auto()  # from here on ``name`` is ``truth``
    RETURN = enum.auto()
    GAP = enum.auto()  # source lines that the hunks do not show
    JOIN = enum.auto()  # nothing happens

    __hash__ = object.__hash__  # each is there once; by name, as Enum does it, sets of them are slow


@dataclass(frozen=True, slots=True)
class Step:
    """``name`` is what is called, assigned to, assumed or returned; ``uses`` are the pointers followed here.

    ``line`` counts from the function's first line, which is 1: a function that only moved has the same flow.
    """

    kind: StepKind
    line: int = 0
    name: str = ""
    args: tuple[str, ...] = ()
    target: str = ""  # what a call's result is assigned to
    value: str = ""  # right-hand side of an assignment
    truth: bool = True
    uses: frozenset[str] = frozenset()
    code: str = ""


@dataclass(frozen=True)
class Flow:
    """Steps and, for each, which may come next.  Step 0 is the entry; steps with nothing next leave the function."""

    steps: tuple[Step, ...]
    next: tuple[tuple[int, ...], ...]

    @cached_property
    def previous(self) -> tuple[tuple[int, ...], ...]:
        back: list[list[int]] = [[] for _ in self.steps]
        for number, followers in enumerate(self.next):
            for follower in followers:
                back[follower].append(number)
        return tuple(tuple(numbers) for numbers in back)

    @cached_property
    def has_gap(self) -> bool:
        return any(step.kind is StepKind.GAP for step in self.steps)

    def known_at(self, start: int) -> dict[str, bool]:
        """Conditions that were found true or false on the only way to a step, and that nothing changes behind it."""
        found: dict[str, bool] = {}
        seen = {start}
        assigned: set[str] = set()
        number = start
        while len(self.previous[number]) == 1 and (number := self.previous[number][0]) not in seen:
            seen.add(number)
            step = self.steps[number]
            if step.kind is StepKind.ASSUME and not assigned & set(_WORD.findall(step.name)):
                found.setdefault(step.name, step.truth)
            elif step.kind is StepKind.ASSIGN:
                assigned.add(step.name)
        later = {self.steps[n].name for n in self.after(start) if self.steps[n].kind is StepKind.ASSIGN}
        return {name: truth for name, truth in found.items() if not later & set(_WORD.findall(name))}

    def after(self, start: int, stop: Callable[[Step], bool] = lambda _: False) -> Iterator[int]:
        """Every step that a path from ``start`` reaches, not going beyond steps for which ``stop`` is true.

        The stopping steps themselves are not among them; ``start`` is, when a loop comes back to it.
        """
        seen: set[int] = set()
        pending = list(self.next[start])
        while pending:
            number = pending.pop()
            if number in seen or stop(self.steps[number]):
                continue
            seen.add(number)
            yield number
            pending.extend(self.next[number])

    def before(self, start: int, stop: Callable[[Step], bool] = lambda _: False) -> Iterator[int]:
        """The same, backwards."""
        seen: set[int] = set()
        pending = list(self.previous[start])
        while pending:
            number = pending.pop()
            if number in seen or stop(self.steps[number]):
                continue
            seen.add(number)
            yield number
            pending.extend(self.previous[number])
