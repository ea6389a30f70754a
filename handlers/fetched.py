"""A thread was fetched because somebody asked for it: find the series in it, and save nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.mail import series as assembly
from bot.model import RawMail, Series, Unreadable
from handlers.mail_arrived import Letter, opened

_PATIENCE = timedelta(days=1)


def series_in(mails: Sequence[RawMail | Unreadable], now: datetime) -> tuple[Series, ...]:
    """The series of these mails, as complete as they are.  Blocks while it reads them."""
    found: dict[str, Series] = {}
    seen: set[str] = set()
    for mail in mails:
        letter = opened(mail) if isinstance(mail, RawMail) else mail
        if not isinstance(letter, Letter) or letter.message.id in seen:
            continue
        seen.add(letter.message.id)
        grown = assembly.add(tuple(found.values()), letter.message, letter.patch, now, _PATIENCE)
        if grown is not None:
            found[grown.key] = grown
    return tuple(assembly.settle(series, now + 2 * _PATIENCE) for series in found.values())
