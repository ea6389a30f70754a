"""Quiet hours and digests come at the channel's own time, also when its clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from bot.model import Habits, Rhythm
from bot.report.hours import clock_time, digest_day, digest_span, quiet_until, zone
from bot.report.spans import parted, span

NIGHT = Habits(quiet_from=time(22), quiet_to=time(6), zone="Europe/Berlin")
DAILY = Habits(digest=Rhythm.DAILY, digest_at=time(9), zone="America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-10 20:59", None),  # 21:59 there
        ("2026-01-10 21:00", "2026-01-11 05:00"),
        ("2026-01-11 04:59", "2026-01-11 05:00"),
        ("2026-01-11 05:00", None),
        ("2026-07-10 20:00", "2026-07-11 04:00"),  # summer
        ("2026-03-28 22:00", "2026-03-29 04:00"),  # the night in which an hour is missing
        ("2026-10-24 22:00", "2026-10-25 05:00"),  # and the one that has an hour more
    ],
)
def test_a_night_is_quiet_until_it_ends_on_the_wall(now: str, end: str | None) -> None:
    assert quiet_until(NIGHT, at(now)) == (at(end) if end else None)


def test_quiet_hours_may_lie_in_the_day_and_may_be_none() -> None:
    noon = Habits(quiet_from=time(12), quiet_to=time(13))
    assert quiet_until(noon, at("2026-01-10 12:30")) == at("2026-01-10 13:00")
    assert quiet_until(noon, at("2026-01-10 13:00")) is None
    assert quiet_until(Habits(), at("2026-01-10 12:30")) is None


def test_a_digest_is_due_once_a_day_at_the_channels_own_nine() -> None:
    assert digest_day(DAILY, at("2026-01-10 13:59")) == date(2026, 1, 9)
    assert digest_day(DAILY, at("2026-01-10 14:00")) == date(2026, 1, 10)
    told = Habits(digest=Rhythm.DAILY, digest_at=time(9), zone="America/New_York", told_on=date(2026, 1, 10))
    assert digest_day(told, at("2026-01-11 13:59")) is None
    assert digest_day(told, at("2026-01-11 14:00")) == date(2026, 1, 11)
    assert digest_day(Habits(), at("2026-01-10 14:00")) is None


def test_a_digest_after_days_of_silence_is_the_newest_alone() -> None:
    told = Habits(digest=Rhythm.DAILY, told_on=date(2026, 1, 1))
    assert digest_day(told, at("2026-01-10 10:00")) == date(2026, 1, 10)


def test_a_weekly_digest_comes_on_monday_and_covers_the_week() -> None:
    weekly = Habits(digest=Rhythm.WEEKLY, told_on=date(2026, 1, 5))
    assert [digest_day(weekly, at(f"2026-01-{day:02} 10:00")) for day in (6, 11, 12)] == [None, None, date(2026, 1, 12)]
    assert digest_span(weekly, date(2026, 1, 12)) == (at("2026-01-05 09:00"), at("2026-01-12 09:00"))
    assert digest_span(DAILY, date(2026, 1, 10)) == (at("2026-01-09 14:00"), at("2026-01-10 14:00"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9", time(9)), ("9:30", time(9, 30)), ("09:30", time(9, 30)), ("21h", time(21)), ("9am", time(9)),
        ("12am", time(0)), ("12pm", time(12)), ("9:15pm", time(21, 15)), ("24", None), ("9:60", None), ("", None),
        ("13pm", None), ("nine", None), ("9:", time(9)), ("²", None), ("Europe/Berlin", None),
    ],
)  # fmt: skip
def test_a_time_of_day_is_read_as_people_write_it(text: str, found: time | None) -> None:
    assert clock_time(text) == found


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "x" * 5000, "a\x00b"])
def test_what_is_no_time_zone_is_none(name: str) -> None:
    assert zone(name) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7d", timedelta(7)), ("12 hours", timedelta(hours=12)), ("2 weeks", timedelta(14)), ("1 month", timedelta(30)),
        ("0d", None), ("7", None), ("d", None), ("9999y", timedelta(3650)), ("7 dogs", None),
    ],
)  # fmt: skip
def test_a_span_is_read_as_people_write_it(text: str, found: timedelta | None) -> None:
    assert span(text) == found


def test_a_span_is_taken_off_the_end_of_words() -> None:
    assert parted("rule plain-del for 7d") == ("rule plain-del", timedelta(7))
    assert parted("for 7 days") == ("", timedelta(7))
    assert parted("author for good") == ("author for good", None)
    assert parted("path a for b for 1w") == ("path a for b", timedelta(7))
