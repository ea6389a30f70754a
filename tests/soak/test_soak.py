"""What a soak sees: a short one of the whole, and that growth is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.chats.slack_server import needs_slack
from tests.soak.mails import LISTS, day
from tests.soak.run import Sample, judged, soak

HOURS = [Sample(hour, 100 * hour, 30 * hour, 9 * hour, 70, 200, 0, 100, 150) for hour in range(1, 25)]


class TestOfTheWhole:
    pytestmark = needs_slack

    async def test_all_mail_of_some_minutes_is_taken_and_each_faulty_series_told(self, tmp_path: Path) -> None:
        samples, complaints = await soak(0.2, 60, 10, tmp_path)
        assert complaints == []
        assert len(samples) >= 4
        assert all(sample.service > 0 for sample in samples)


def test_a_day_that_stays_flat_is_well() -> None:
    assert judged(HOURS) == []


@pytest.mark.parametrize("name", ["service", "workers", "mail_lag", "page_lag"])
def test_what_grows_all_day_is_told(name: str) -> None:
    grown = [replace(one, **{name: getattr(one, name) * one.hour}) for one in HOURS]
    assert len(judged(grown)) == 1
    assert judged(grown)[0].replace(" of the ", "_").replace(" ", "_").find(name) >= 0


def test_a_day_has_as_many_mails_as_its_lists_write_in_one() -> None:
    mails = day(10, datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1))
    assert sum(mail.number for mail in mails) == pytest.approx(10 * sum(LISTS.values()), rel=0.05)
    assert {mail.feed for mail in mails} == LISTS.keys()
    assert sum(mail.faulty for mail in mails) >= 10
