"""Whether a function sleeps, for certain or on some way, so that calling it in an RCU section is a bug."""

from __future__ import annotations

import re

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.inside import surely_meets
from bot.code.protection import WorldFacts
from bot.code.sections import lock_of
from bot.code.vocabulary import RCU, RCU_BH, RCU_SCHED

NO_SLEEP = (RCU, RCU_BH, RCU_SCHED)  # SRCU and RCU-tasks readers may block
_DEPTH = 3  # calls followed
_WORD = re.compile(r"[A-Za-z_]\w*")
_NULLS = frozenset({"NULL", "0", "false"})
_LITERALS = {"true": True, "1": True, **dict.fromkeys(_NULLS, False)}
# Conditions by which a function asks where it runs, or was told.
_ASKS = re.compile(
    r"atomic|interrupt|softirq|preempt|irqs?_|in_task|gfp|wait|block|sleep|sync|rcu|locked|held|lockdep|panic|oops|warn|"
    r"unlikely_|bug|debug",
    re.IGNORECASE,
)
# Whether a pointer is there says nothing of where the function runs.
_LOADS = re.compile(r"\b(?:s?rcu_dereference\w*+|rcu_access_pointer)\(")


def sleep_at(code: WorldFacts, function: Function, number: int) -> Fact | None:
    """The sleep of a step itself."""
    return next((f for f in code.facts(function) if f.kind is FactKind.SLEEP and f.step == number), None)


def always_sleeps(code: WorldFacts, function: Function, step: Step) -> Fact | None:
    """The sleep that every way through a callee meets, in it or in its callees; None when there is a way without."""
    met = surely_meets(code, function, step, lambda f, n: sleep_at(code, f, n) is not None, _leaves, _DEPTH)
    return sleep_at(code, *met) if met else None


def may_sleep(code: WorldFacts, function: Function, step: Step, depth: int = _DEPTH) -> Fact | None:
    """A sleep that some way through a callee meets, and that nothing the caller hands over or asks for prevents.

    A function that the hunks do not show is read in the state of its file that the tree holds.
    """
    if step.kind is not StepKind.CALL or depth <= 0:
        return None
    callee = code.defined(step.name, function.path) or code.in_other_state(step.name, function.path)
    if callee is None or callee is function or not callee.flow.steps or callee.flow.has_gap:
        return None
    told = dict(zip(callee.parameters, step.args, strict=False))
    sleeps = {fact.step: fact for fact in code.facts(callee) if fact.kind is FactKind.SLEEP}
    for number in (0, *sorted(callee.flow.after(0, lambda at: _leaves(at) or _closed(callee, at, told)))):
        if number in sleeps:
            return sleeps[number]
        deeper = may_sleep(code, callee, callee.flow.steps[number], depth - 1)
        if deeper is not None:
            return deeper
    return None


def _closed(callee: Function, step: Step, told: dict[str, str]) -> bool:
    """Whether a way is not gone, or only when the caller says so: by a flag, or by where it runs."""
    if step.kind is not StepKind.ASSUME:
        return False
    name = step.name.removeprefix("!")
    if name in told and told[name] in _LITERALS:
        return _LITERALS[told[name]] is (step.truth is step.name.startswith("!"))
    flags = {word for word in _WORD.findall(step.name) if word in told and word not in callee.variables}
    return bool(flags) or _ASKS.search(_LOADS.sub("(", step.name)) is not None


def _leaves(step: Step) -> bool:
    found = lock_of(step)
    return found is not None and found[0].kind in NO_SLEEP and not found[1].takes
