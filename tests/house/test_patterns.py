"""No regular expression of ours takes more than linear time: each is fed what makes others stall, and then more of it.

What is compared is the time of the processor for a text and for one four times as long, of which linear work takes four
times as much and quadratic work sixteen times; a machine that has much else to do changes neither.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import bot
import config
import handlers

SHORT = 8_000  # characters
NOTHING = 0.02  # seconds: too little to be compared
AT_MOST = 7.0  # times as long for four times as much
TRIES = 3
LETTERS = " \t\n\r0_aA(*/<\"'=-+@.,;:\\#[{&>)"
WORDS = (
    *("a ", "a(", "*a", "a,", "a->", "a.", "/*", "*/ ", "\n ", "\n\n", "ab\n", "a\\\n", "(a", "<a", '"a', '\\"'),
    *("=?", "a=b,", "\x1b[", "rcu_", "list_", "-- \n", "+a\n", "@@ -1 +1 @@\n", "[PATCH ", "Re: ", "a@b ", "<a@b> "),
    *("1/2 ", "for 7d ", "A-", "_rcu", "struct a ", "=?utf-8?q?", "a: b\n", "\\'"),
)
NO_OTHER = {"match", "fullmatch"}  # where a pattern is asked for at one place of a text alone


class Named(NamedTuple):
    name: str
    pattern: re.Pattern[str] | re.Pattern[bytes]
    anywhere: bool  # it is looked for at every place of a text


def patterns() -> Iterator[Named]:
    """Every pattern that a module of ours holds, once."""
    seen: set[tuple[str | bytes, int]] = set()
    for root in (bot, handlers, config):
        for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            if "migrations" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern) and (value.pattern, value.flags) not in seen:
                    seen.add((value.pattern, value.flags))
                    yield Named(f"{found.name}.{name}", value, _anywhere(str(module.__file__), name))


def _anywhere(file: str, name: str) -> bool:
    called = set(re.findall(rf"\b{name}\.(\w+)\(", Path(file).read_text("utf-8")))
    return not called or bool(called - NO_OTHER)


PATTERNS = tuple(patterns())


def seconds(one: Named, text: str) -> float:
    given = text if isinstance(one.pattern.pattern, str) else text.encode()
    begun = time.process_time()
    if one.anywhere:
        for _ in one.pattern.finditer(given):  # type: ignore[arg-type]
            pass
    else:
        one.pattern.match(given)  # type: ignore[arg-type]
        one.pattern.fullmatch(given)  # type: ignore[arg-type]
    return time.process_time() - begun


def stalls(one: Named, unit: str, short: int = SHORT) -> bool:
    """Whether it takes much longer than four times as long for four times as much, each time that it is tried."""
    little, much = unit * (short // len(unit)), unit * (4 * short // len(unit))
    if seconds(one, little) < NOTHING:
        return False
    spent = min(seconds(one, little) for _ in range(TRIES))
    return all(seconds(one, much) > AT_MOST * spent for _ in range(TRIES))


@pytest.mark.parametrize("one", PATTERNS, ids=[one.name for one in PATTERNS])
def test_a_pattern_takes_no_longer_than_its_text(one: Named) -> None:
    assert [unit for unit in (*LETTERS, *WORDS) if stalls(one, unit)] == []


@pytest.mark.parametrize(("pattern", "unit"), [(r"\w+-", "a"), (r"\s*x", " ")])
def test_one_that_takes_longer_is_found(pattern: str, unit: str) -> None:
    assert stalls(Named("bad", re.compile(pattern), anywhere=True), unit, short=6_000)


def test_there_are_patterns_to_try() -> None:
    assert len(PATTERNS) > 200
