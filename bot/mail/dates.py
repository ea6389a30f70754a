"""When a mail was sent, as far as its header can be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_FIRST = datetime(1991, 8, 25, tzinfo=UTC)  # nobody sent patches for Linux before it was announced
_LAST = datetime(2050, 1, 1, tzinfo=UTC)
_SLACK = timedelta(days=1)


def believed(said: datetime | None, received: str) -> tuple[datetime | None, str]:
    """The time to go by, and what was wrong with the one that was said ("" when nothing).

    ``said`` is the Date field; ``received`` the newest Received field, written by the list's own server.  A mail cannot
    have been sent after it was received, and a date that is no date, or before there was a kernel, says nothing: the
    receipt counts then, and None where there is none.
    """
    receipt = _receipt(received)
    if said is None:
        return receipt, "no date: the time of receipt is taken" if receipt else "no date"
    if not _FIRST <= said <= _LAST or (receipt and said > receipt + _SLACK):
        told = f"the date {said:%Y-%m-%d} cannot be right"
        return receipt, f"{told}: the time of receipt is taken" if receipt else told
    return said, ""


def _receipt(received: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(received.rpartition(";")[2].strip()[:100])
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when if _FIRST <= when <= _LAST else None
