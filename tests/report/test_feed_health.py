"""What is wrong with a feed is measured by the habit of its own list, and no date that a mail claims can hide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.model import Brought, FeedState, Note, Trouble
from bot.report.feed_health import after_gap, after_reading, line, spelled, troubles, usual_silence

NOON = datetime(2026, 4, 20, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HALF_AN_HOUR = 30 * MINUTE


def mails(*dates: datetime) -> Brought:
    return Brought(len(dates), dates=dates)


def followed(apart: timedelta = 2 * HOUR, days: int = 20) -> FeedState:
    """A list with a mail every so often, all of them read by noon."""
    dates = [NOON - step * apart for step in reversed(range(int(days * DAY / apart)))]
    return after_reading(FeedState("kvm"), mails(*dates), "", NOON)


def wrong(state: FeedState, now: datetime) -> Sequence[Trouble]:
    return list(troubles(state, now, HALF_AN_HOUR))


def test_a_silence_is_unusual_when_it_is_longer_than_any_before() -> None:
    state = followed()
    assert usual_silence(state) == 3 * HOUR
    assert wrong(state, NOON + 3 * HOUR) == []
    assert wrong(state, NOON + 3 * HOUR + MINUTE) == [Trouble.SILENT]
    assert (
        "Nothing has come for 3h; 3h would be usual." in troubles(state, NOON + 4 * HOUR - MINUTE, HOUR)[Trouble.SILENT]
    )


def test_a_quiet_weekend_is_a_habit_and_a_quiet_winter_long_ago_is_not() -> None:
    weekend = replace(followed(), gaps=(*followed().gaps, (9_999, int((2 * DAY).total_seconds()))))
    assert wrong(weekend, NOON + 2 * DAY) == []
    winter = after_reading(FeedState("kvm"), mails(NOON - 90 * DAY, NOON - 60 * DAY), "", NOON)
    dates = [NOON - step * HOUR for step in reversed(range(24 * 50))]
    assert usual_silence(after_reading(winter, mails(*dates), "", NOON)) == timedelta(hours=1.5)


def test_nothing_is_unusual_for_a_list_that_is_hardly_known() -> None:
    for state in (FeedState("kvm"), followed(days=6), after_reading(FeedState("kvm"), mails(NOON), "", NOON)):
        assert usual_silence(state) is None
        assert wrong(state, NOON + 400 * DAY) == []


def test_dates_from_the_future_and_the_past_change_no_habit() -> None:
    state = followed()
    odd = after_reading(state, mails(datetime(2099, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)), "", NOON)
    assert usual_silence(odd) == usual_silence(state)
    assert odd.newest == state.newest


def test_any_mail_ends_a_silence() -> None:
    state = after_reading(followed(), Brought(1, known=1), "", NOON + 5 * HOUR)
    assert wrong(state, NOON + 6 * HOUR) == []
    assert after_reading(state, Brought(), "", NOON + 9 * HOUR).heard_at == NOON + 5 * HOUR


def test_a_failure_is_told_once_it_lasts() -> None:
    state = after_reading(followed(), Brought(), "no answer", NOON)
    later = after_reading(state, Brought(), "no route", NOON + HALF_AN_HOUR)
    assert wrong(state, NOON + 29 * MINUTE) == []
    assert wrong(later, NOON + HALF_AN_HOUR) == [Trouble.FAILING]
    assert "2026-04-20 12:00 UTC: no route" in troubles(later, NOON + HOUR, HALF_AN_HOUR)[Trouble.FAILING]
    assert wrong(later, NOON + 9 * HOUR) == [Trouble.FAILING]  # silent, too, but that is no second trouble
    assert wrong(after_reading(later, Brought(), "", NOON + HOUR), NOON + HOUR) == []


@pytest.mark.parametrize("trouble", [Trouble.UNREADABLE, Trouble.INCOMPLETE])
def test_what_happens_thrice_in_a_day_is_told_until_a_day_is_good(trouble: Trouble) -> None:
    def again(state: FeedState, now: datetime) -> FeedState:
        if trouble is Trouble.INCOMPLETE:
            return after_gap(state, now)
        return after_reading(state, Brought(unreadable=1), "", now)

    state = replace(followed(), gaps=())
    for number in range(5):  # one every day and a half is no trouble
        state = again(state, NOON + number * 1.5 * DAY)
        assert wrong(state, NOON + number * 1.5 * DAY) == []
    for number in range(3):
        state = again(state, NOON + 10 * DAY + number * HOUR)
    assert wrong(state, NOON + 10 * DAY + 2 * HOUR) == [trouble]
    told = replace(state, notes=(Note(trouble, NOON),))
    assert wrong(told, NOON + 11 * DAY) == [trouble]
    assert wrong(told, NOON + 11 * DAY + 2 * HOUR) == []


def test_the_line_of_a_feed_says_what_an_operator_asks() -> None:
    state = after_reading(followed(), Brought(3, 2, 1, (NOON,)), "", NOON + 3 * MINUTE)
    assert line(state, NOON + 8 * MINUTE) == (
        "last mail 5m ago, 3m after it was sent, silent for at most 3h as a rule, 243 mails, "
        "2 known before, 1 unreadable"
    )
    failing = after_reading(FeedState("kvm"), Brought(), "no\nanswer", NOON)
    assert line(failing, NOON) == "no mail yet, 0 mails, failed just now: no answer"
    assert "cannot be read" in line(replace(failing, notes=(Note(Trouble.FAILING, NOON),)), NOON)


def test_spans_are_as_exact_as_a_person_wants() -> None:
    spans = (0, 59, 60, 7199, 7200, 2 * 86399, 2 * 86400, 2 * 86400 + 3600 * 5)
    assert [spelled(timedelta(seconds=span)) for span in spans] == [
        "0s",
        "59s",
        "1m",
        "119m",
        "2h",
        "47h",
        "2d",
        "2d 5h",
    ]
