"""A preview of the command line reads the service's store, or the feeds where there is none, and says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.gracewatch import at_work, gracewatch

LONG = "100000d"  # the example is of April 2026


async def test_the_store_and_the_feeds_give_the_same_preview(tmp_path: Path) -> None:
    state = tmp_path / "state"
    fresh = gracewatch("preview", "console", LONG, state=state)
    assert fresh.returncode == 0, fresh.stderr
    assert fresh.stderr == b"gracewatch: the store holds no mail yet, so the feeds are read\n"
    assert not (state / "gracewatch.db").exists()
    async with at_work(state) as service:
        await service.until_said("2 fixed, 0 still open, 0 new")
    kept = gracewatch("preview", "console", LONG, state=state)
    assert (kept.returncode, kept.stdout, kept.stderr) == (0, fresh.stdout, b"")
    assert b"would have got 1 cards, 2 edits and 1 replies" in kept.stdout
    slack = gracewatch("preview", "gracewatch", LONG, state=state)
    assert b"#gracewatch would have got 1 cards, 2 edits and 1 replies" in slack.stdout
    assert b"console would have got 0 cards" in gracewatch("preview", "console", "1s", state=state).stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nowhere", "7d"), "'nowhere': no such channel in the settings; there are console, #gracewatch"),
        (("console", "a week"), "'a week': write a duration as"),
        (("console", "0d"), "'0d': write a duration as"),
    ],
)
def test_a_preview_that_cannot_be_is_said_so(tmp_path: Path, words: tuple[str, str], reason: str) -> None:
    done = gracewatch("preview", *words, state=tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr.decode()
