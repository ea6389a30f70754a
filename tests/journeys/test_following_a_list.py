"""The service follows one real list in four ways at once, whatever its server does: each mail is taken once."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model import FeedState
from tests.journeys.gracewatch import Watched, at_work, gracewatch
from tests.journeys.test_over_the_network import CONTACT, TREE, series

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from archive_places import ServedPlace
from feed_places import mail

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("public-inbox-netd"), reason="public-inbox is not installed"),
]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServedPlace]:
    made = ServedPlace(tmp_path)
    yield made
    made.close()


def ways(place: ServedPlace) -> dict[str, str]:
    """The list as files, by git, on the web, and as news."""
    feeds = [
        {"name": "files", "path": str(place.inbox)},
        {"name": "git", "kind": "public-inbox", "url": place.url},
        {"name": "web", "url": place.url},
        {"name": "news", "url": place.news},
    ]
    return {
        "GRACEWATCH_FEEDS": json.dumps(feeds),
        "GRACEWATCH_ARCHIVE_CONTACT": CONTACT,
        "GRACEWATCH_ARCHIVE_URL": "",
        "GRACEWATCH_TREE_PATH": TREE,
        "GRACEWATCH_OPERATORS_CHANNEL": "#ops",
    }


async def until_read(service: Watched, **mails: int) -> None:
    """Wait until each of these feeds has brought so many mails, those that were known included."""
    states: dict[str, FeedState] = {}
    for _ in range(900):
        if await service.counts():
            async with service.app.store.transaction() as transaction:
                states = {state.feed: state for state in await transaction.feed_states()}
        if all(feed in states and states[feed].mails >= number for feed, number in mails.items()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{mails} were expected: {states}")


async def until_failing(service: Watched, *feeds: str) -> None:
    async with asyncio.timeout(300):
        while True:
            parts = await service.app.health.parts()
            if all(parts.get(f"feed {feed}", "ok") != "ok" for feed in feeds):
                return
            await asyncio.sleep(0.1)


def everywhere(number: int) -> dict[str, int]:
    return dict.fromkeys(("files", "git", "web", "news"), number)


async def test_a_list_is_followed_while_its_archive_grows_rolls_is_rewritten_and_goes_away(
    place: ServedPlace, tmp_path: Path
) -> None:
    state, first, last = tmp_path / "state", series("v1.mbox"), series("v3.mbox")
    junk = [mail(number) for number in range(6)]
    place.put_many([junk[0], *first[:1]])
    async with at_work(state, others=ways(place)) as service:
        await until_read(service, **everywhere(2))
        place.put_many(first[1:])  # the series is complete while it is watched
        await service.until_said("kvm_device_release()")
        place.new_epoch()
        place.put_many(junk[1:3])
        await until_read(service, **everywhere(len(first) + 3))
        place.stop()
        await until_failing(service, "git", "web", "news")
        place.put_many(junk[3:4])
        await until_read(service, files=len(first) + 4)
    place.purge(junk[1])  # history is rewritten while nobody looks
    place.put_many([*last, junk[4]])
    place.start()
    async with at_work(state, others=ways(place)) as service:
        await service.until_said("fixed in v3: 2")
        await until_read(service, **everywhere(len(first) + len(last) + 4))
        place.put_many(junk[5:])
        async with asyncio.timeout(300):
            while (await service.counts())["messages"] < len(first) + len(last) + 6:
                await asyncio.sleep(0.1)
        counts = await service.counts()
        assert service.said.count("list_del() on kvm.devices") == 1
    assert counts["messages"] == len(first) + len(last) + 6
    assert (counts["series"], counts["reviewed"]) == (2, 2)
    assert counts["queued"] == 0
    status = gracewatch("status", state=state, others=ways(place)).stdout.decode()
    assert status.count("last mail") == 4
    assert "known before" in status


async def test_a_list_that_is_only_read_by_git_is_told_whole(place: ServedPlace, tmp_path: Path) -> None:
    place.put_many([*series("v1.mbox"), *series("v3.mbox")])
    feeds = json.dumps([{"name": "git", "kind": "public-inbox", "url": place.url, "backlog": 4}])
    others = {**ways(place), "GRACEWATCH_FEEDS": feeds}
    async with at_work(tmp_path / "state", others=others) as service:
        await service.until_reviewed(1)
        await until_read(service, git=4)
        assert (await service.counts())["messages"] == 4
    assert list((tmp_path / "state" / "mirrors").glob("git-*/git/0.git"))
