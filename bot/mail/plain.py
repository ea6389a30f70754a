"""Header fields as most mails have them, read without mail-parser: it needs three times as long as all the rest.

What these patterns match, mail-parser reads to the same; what they do not match is left to it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ATOM = r"[A-Za-z0-9_+-]{1,64}"
SENDER = re.compile(
    r"(?:(\"?)([A-Za-z][A-Za-z0-9'-]{0,40}(?: [A-Za-z][A-Za-z0-9'-]{0,40}){0,4})\1 )?"
    rf"<({_ATOM}(?:\.{_ATOM}){{0,8}}@[A-Za-z0-9-]{{1,63}}(?:\.[A-Za-z0-9-]{{1,63}}){{1,8}})>",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), {1,2})?(3[01]|[12]\d|0?[1-9]) "
    rf"({'|'.join(_MONTHS)}) ((?:19|20)\d\d) ([01]\d|2[0-3]):([0-5]\d):([0-5]\d) ([+-])(0\d|1[0-4])([0-5]\d)"
    r"(?: \([A-Z]{1,5}\))?",
    re.ASCII,
)


def subject(value: str) -> str | None:
    """A subject that holds no encoded word; None when it may hold one."""
    return value.strip() if value.isascii() and "=?" not in value else None


def sender(value: str) -> tuple[str, str] | None:
    """Name and address; None when there is more to it than that."""
    match = SENDER.fullmatch(value)
    return (match[2] or "", match[3]) if match else None


def date(value: str) -> datetime | None:
    """A day and a time with their zone, in UTC; None when it is written otherwise, or there is no such day."""
    match = DATE.fullmatch(value)
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        local = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return local + ahead if sign == "-" else local - ahead
