"""The functions that run as RCU callbacks, and where they are queued."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.code.facts import Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts

_QUEUE = re.compile(r"call_(?P<srcu>s?)rcu(?:_hurry|_lazy|_bh|_sched|_tasks(?:_trace|_rude)?)?")


@dataclass(frozen=True, slots=True)
class Queued:
    """One call_rcu() or call_srcu(): the step, and the callback as spelled."""

    where: Function
    step: Step
    callback: str
    srcu: bool


def queued(code: WorldFacts) -> tuple[Queued, ...]:
    """Every callback that the world hands to RCU."""
    return code.once(_queued)


def _queued(code: WorldFacts) -> tuple[Queued, ...]:
    return tuple(_found(code))


def _found(code: WorldFacts) -> Iterator[Queued]:
    for function in code.functions:
        if "call_rcu" not in function.text and "call_srcu" not in function.text:
            continue
        if not any(word.startswith(("call_rcu", "call_srcu")) for word in function.words):
            continue
        for step in function.flow.steps:
            found = _QUEUE.fullmatch(step.name) if step.kind is StepKind.CALL else None
            place = 2 if found and found["srcu"] else 1
            if found and len(step.args) > place:
                yield Queued(function, step, step.args[place].lstrip("&"), bool(found["srcu"]))
