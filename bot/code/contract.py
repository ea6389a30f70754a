"""What a function asks of its callers: which lock or section they hold, as comments, assertions and callers say."""

from __future__ import annotations

import re

from bot.code.facts import Function
from bot.code.protection import WorldFacts
from bot.code.vocabulary import MUTEX, READ_SIDE, RWLOCK, RWSEM, SEQ, SPIN

_PROTECTING = READ_SIDE | {MUTEX, RWSEM, RWLOCK, SPIN, SEQ}
_ASSERTS = re.compile(
    r"lockdep_assert|read_lock_(?:bh_|sched_|any_)?held|lockdep_is_held|assert_spin_locked|ASSERT_RTNL"
)
_ASKS = re.compile(
    r"called (?:with|under|within|from|while)|must (?:be )?(?:hold|held|call)|"
    r"callers? (?:must|should|holds?|is|are|has)|"
    r"(?:is|are|with|under) [^.]{0,60}\b(?:held|locked|protected)|protected by|\bholding\b|guarantee|\bpinned\b|"
    r"read[- ]side|context\s*:",
    re.IGNORECASE,
)


def held_by_caller(code: WorldFacts, function: Function, kinds: frozenset[str] = _PROTECTING) -> str:
    """Why the callers can be taken to protect what the function uses, "" when nothing says so.

    ``kinds`` are the locks that would do, where callers are in sight.
    """
    if asked := asked_of_callers(function):
        return asked
    callers = [(caller, step) for caller, step in code.callers(function) if step >= 0]
    if callers and all(caller.held[step].always(kinds) for caller, step in callers):
        return f"{callers[0][0].name}() calls it with the lock held"
    return ""


def asked_of_callers(function: Function) -> str:
    """Where a function says what its callers hold, "" when it does not."""
    if found := _ASSERTS.search(function.text):
        return f"{found[0]} says what the caller holds"
    if _ASKS.search(comments_of(function)):
        return "a comment says what the caller holds"
    return ""


def comments_of(function: Function) -> str:
    """What is remarked above a function and in it."""
    return f"{function.comment_above} {_comments(function.text)}"


def _comments(text: str) -> str:
    return " ".join(re.findall(r"/\*(?:[^*]|\*(?!/))*+\*/|//[^\n]*+", text))
