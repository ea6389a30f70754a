"""Functions that run when a network namespace goes, behind the grace period that cleanup_net() waits for."""

from __future__ import annotations

from bot.code.facts import Function
from bot.code.protection import WorldFacts
from bot.code.tables import slots_in

_EXITS = frozenset({"exit", "exit_batch", "exit_batch_rtnl"})  # not pre_exit, which runs before the grace period
_DEPTH = 3  # callers followed


def gone_with_namespace(code: WorldFacts, function: Function) -> str:
    """The exit hook of a namespace that every way to a function begins at, "" when some way does not."""
    return _hook(code, function, _DEPTH)


def _hook(code: WorldFacts, function: Function, depth: int) -> str:
    if function.name in code.once(_hooks):
        return f"{function.name}()"
    callers = {caller for caller, number in code.callers(function)}
    if not callers or not depth:
        return ""
    found = [_hook(code, caller, depth - 1) for caller in sorted(callers, key=lambda caller: caller.name)]
    return found[0] if all(found) else ""


def _hooks(code: WorldFacts) -> frozenset[str]:
    return frozenset(
        name
        for image in code.world.images
        if "pernet_operations" in image.text
        for name, slots in slots_in(image).items()
        if any(slot.type == "pernet_operations" and slot.member in _EXITS for slot in slots)
    )
