"""A feed goes away while it is watched and comes back: operators hear of both once, whoever restarts."""

from __future__ import annotations

from pathlib import Path

from tests.journeys.gracewatch import EXAMPLES, at_work, feed_of, gracewatch

OPERATORS = {"GRACEWATCH_OPERATORS_CHANNEL": "#ops", "GRACEWATCH_OPERATORS_PATIENCE": "1s"}


async def test_operators_hear_once_of_a_feed_that_goes_and_once_that_it_is_back(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, EXAMPLES / "kvm/v1.mbox")
    away, state = tmp_path / "away", tmp_path / "state"
    tree = str(EXAMPLES / "tree")
    async with at_work(state, feed, tree, others=OPERATORS) as service:
        await service.until_said("kvm_device_release()")
        feed.rename(away)
        said = await service.until_said("Feed test cannot be read")
        assert "── #ops ─" in said
    async with at_work(state, feed, tree, others=OPERATORS) as service:
        page = gracewatch("status", state=state, others={"GRACEWATCH_FEEDS": service.feeds})
        assert b"cannot be read" in page.stdout, page
        away.rename(feed)
        said = await service.until_said("Feed test is read again")
        assert "cannot be read" not in said
    page = gracewatch("status", state=state, others={"GRACEWATCH_FEEDS": service.feeds})
    assert (page.returncode, page.stderr) == (0, b"")
    assert b"last mail" in page.stdout
    assert b"cannot be read" not in page.stdout


def test_the_status_of_nothing_is_said_so(tmp_path: Path) -> None:
    page = gracewatch("status", state=tmp_path / "none")
    assert page.returncode == 2
    assert b"no service has run with this state folder" in page.stderr
    assert not (tmp_path / "none").exists()
