"""Whether a function sleeps on every way through it, so that calling it in an RCU section is a bug."""

from __future__ import annotations

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step
from bot.code.protection import WorldFacts
from bot.code.sections import lock_of
from bot.code.vocabulary import RCU, RCU_BH, RCU_SCHED

NO_SLEEP = (RCU, RCU_BH, RCU_SCHED)  # SRCU and RCU-tasks readers may block


def always_sleeps(code: WorldFacts, function: Function, step: Step) -> Fact | None:
    """The sleep that every way through a callee meets, None when there is a way without."""
    callee = code.defined(step.name, function.path)
    if callee is None or callee is function or callee.flow.has_gap:
        return None
    sleeps = {fact.step: fact for fact in code.facts(callee) if fact.kind is FactKind.SLEEP}
    if not sleeps:
        return None
    steps = callee.flow.steps
    blocking = {id(steps[number]) for number in sleeps}
    # Could the function's end be reached with the sleeps, and leaving the section, taken out of it?
    reached = {0, *callee.flow.after(0, lambda at: id(at) in blocking or _leaves(at))}
    return None if any(not callee.flow.next[number] for number in reached) else next(iter(sleeps.values()))


def _leaves(step: Step) -> bool:
    found = lock_of(step)
    return found is not None and found[0].kind in NO_SLEEP and not found[1].takes
