"""What a way through a function asks of its arguments, so that calls which rule it out are no way."""

from __future__ import annotations

import re

from bot.code.asked import argument
from bot.code.facts import Function
from bot.code.flow import Step

_WORD = re.compile(r"\w+")
_CONSTANTS = re.compile(r"(?:[A-Z][A-Z0-9_]*+|\d\w*+|true|false)(?: ?\| ?[A-Z][A-Z0-9_]*+)*+")
_TEST = re.compile(r"(\w++)(?:(==|&)([A-Z][A-Z0-9_]*+|\d\w*+|true|false))?")
_NOUGHT = frozenset({"0", "false", "NULL"})
THROUGH = frozenset({"kvm_x86_call", "static_call", "static_call_cond"})
"""Calls of the form ``kvm_x86_call(name)(arguments)``: a step has the name as its first argument."""

Given = frozenset[tuple[int, str, bool]]
"""What a way asks of parameters: (place, value, truth): it is ``value``, has the flag ``&value`` or, "", is true."""


def given_at(function: Function, number: int) -> Given:
    """What is known of parameters at a step."""
    given = set()
    for condition, truth in function.flow.known_at(number).items():
        test = _TEST.fullmatch(condition)
        if test is not None and test[1] in function.parameters:
            value = f"{test[2] or ''}{test[3] or ''}".removeprefix("==")
            given.add((function.parameters.index(test[1]), value, truth))
    return frozenset(given)


def passed_on(function: Function, step: Step, given: Given) -> Given | None:
    """What a way through a callee asks of the caller's own parameters; None when the arguments rule it out."""
    kept = set()
    shift = int(step.name in THROUGH)
    for place, value, truth in given:
        passed = argument(step, place + shift)
        if _CONSTANTS.fullmatch(passed):
            if value.startswith("&"):
                equal = value[1:] in _WORD.findall(passed)
            else:
                equal = passed == value if value else passed not in _NOUGHT
            if equal is not truth:
                return None
        elif passed in function.parameters:
            kept.add((function.parameters.index(passed), value, truth))
    return frozenset(kept)
