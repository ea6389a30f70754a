"""Spans of time as people type them: 7d, 12h, 2 weeks."""

from __future__ import annotations

import re
from datetime import timedelta

_SPAN = re.compile(r"(\d{1,4})\s?(h|hours?|d|days?|w|weeks?|months?|y|years?)", re.IGNORECASE)
_DAYS = {"h": 1 / 24, "d": 1, "w": 7, "m": 30, "y": 365}
LONGEST = timedelta(days=3650)


def span(text: str) -> timedelta | None:
    """The length of time that a text names, None when it names none."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        return None
    return min(timedelta(days=int(found[1]) * _DAYS[found[2][0].lower()]), LONGEST) or None


def parted(words: str) -> tuple[str, timedelta | None]:
    """``x for 7d`` as ``x`` and seven days; words without such an end as they are."""
    at = f" {words.lower()}".rfind(" for ")
    length = span(words[at + 4 :]) if at >= 0 else None
    return (words[:at].strip(), length) if length else (words, None)
