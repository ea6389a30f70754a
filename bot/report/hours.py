"""The hours of a channel, in its own time zone: when it is quiet, and when its digest is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.model import Habits, Rhythm

_WEEK = timedelta(days=7)
_MONDAY = 0


def zone(name: str) -> ZoneInfo | None:
    """A time zone by its name in the IANA database, None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def quiet_until(habits: Habits, now: datetime) -> datetime | None:
    """The end of the quiet hours that ``now`` lies in, in UTC; None outside of them."""
    start, end = habits.quiet_from, habits.quiet_to
    if start is None or end is None or start == end:
        return None
    here = now.astimezone(zone(habits.zone))
    at = here.time().replace(tzinfo=None)
    if not (start <= at < end if start < end else at >= start or at < end):
        return None
    day = here.date() if at < end else here.date() + timedelta(days=1)
    # Where the clocks change, the time of day counts, as people read it off the wall.
    return datetime.combine(day, end, here.tzinfo).astimezone(UTC)


def digest_day(habits: Habits, now: datetime) -> date | None:
    """The day, there, whose digest is due now and was not told yet; None when none is."""
    if habits.digest is Rhythm.OFF:
        return None
    here = now.astimezone(zone(habits.zone))
    today = here.date()
    due = here.time().replace(tzinfo=None) >= habits.digest_at
    day = today if due else today - timedelta(days=1)
    if habits.digest is Rhythm.WEEKLY:
        day -= timedelta(days=(day.weekday() - _MONDAY) % 7)
    return day if habits.told_on is None or day > habits.told_on else None


def digest_span(habits: Habits, day: date) -> tuple[datetime, datetime]:
    """What the digest of a day covers, from and to, in UTC."""
    end = datetime.combine(day, habits.digest_at, zone(habits.zone))
    length = _WEEK if habits.digest is Rhythm.WEEKLY else timedelta(days=1)
    return datetime.combine(day - length, habits.digest_at, zone(habits.zone)).astimezone(UTC), end.astimezone(UTC)


def clock_time(text: str) -> time | None:
    """A time of day as people type it: 9, 9:30, 09:30, 21h, 9am, 9:30pm; None when it is none."""
    low = text.strip().lower()
    half = 12 if low.endswith("pm") else 0
    plain = low.removesuffix("am").removesuffix("pm").rstrip("h")
    hour, _, minute = plain.partition(":")
    if not (hour.isdecimal() and (minute or "0").isdecimal()) or len(hour) > 2 or len(minute) > 2:
        return None
    number = int(hour)
    if low.endswith(("am", "pm")):
        if not 1 <= number <= 12:
            return None
        number = number % 12 + half
    minutes = int(minute or 0)
    return time(number, minutes) if number <= 23 and minutes <= 59 else None
