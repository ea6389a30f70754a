"""How fast a channel may be spoken in, whatever its clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from handlers.pace import Pace

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HERE = ("slack", "#kvm")


def test_three_messages_may_leave_at_once_and_then_one_a_second() -> None:
    paid = {}
    for _ in range(3):
        assert Pace(paid, NOW).may_speak(HERE, SECOND)
        paid[HERE] = Pace(paid, NOW).after(HERE, SECOND)
    assert not Pace(paid, NOW).may_speak(HERE, SECOND)
    assert Pace(paid, NOW + SECOND).may_speak(HERE, SECOND)


def test_a_clock_that_was_set_back_silences_no_channel() -> None:
    paid = {HERE: Pace({}, NOW).after(HERE, SECOND)}
    pace = Pace(paid, NOW - timedelta(hours=3))
    assert pace.may_speak(HERE, SECOND)
    assert pace.after(HERE, SECOND) == NOW - timedelta(hours=3) + SECOND
