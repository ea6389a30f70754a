"""What people who read the code said of alarms and misses: one line each, in a tab-separated file."""

from __future__ import annotations

from bot.truth.cases import TruthError
from bot.truth.score import Judgement

_COLUMNS = ["id", "rule", "function", "verdict", "reason"]


def read(text: str, name: str) -> tuple[Judgement, ...]:
    """The judgements of a file with the heading id, rule, function, verdict, reason.  Raises TruthError.

    Rule and function are empty for a miss; then the verdict is what would be needed to see it.  An alarm is "true" or
    "false".  The id "audit" is for suspects of a whole tree.
    """
    lines = [line.split("\t") for line in text.splitlines()]
    if not lines or lines[0] != _COLUMNS:
        raise TruthError(f"{name}: the first line is not {', '.join(_COLUMNS)}, between tabs")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(_COLUMNS):
            raise TruthError(f"{name}:{number}: {len(line)} columns; {len(_COLUMNS)} are needed, between tabs")
    return tuple(Judgement(*line) for line in lines[1:])
