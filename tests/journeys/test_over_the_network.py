"""Lists are read over the network from a real public-inbox: feeds stand in for each other, threads are fetched."""

from __future__ import annotations

import asyncio
import json
import mailbox
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.model import Ask, Reply
from bot.report.text import render
from handlers.asked import asked
from tests.journeys.gracewatch import EXAMPLES, Watched, at_work, gracewatch

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from archive_places import ServedPlace

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("public-inbox-netd"), reason="public-inbox is not installed"),
]
TREE = str(EXAMPLES / "tree")
CONTACT = "tests@example.org"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[ServedPlace]:
    made = ServedPlace(tmp_path)
    yield made
    made.close()


def series(name: str) -> list[bytes]:
    """The mails of an example, as they were sent."""
    box = mailbox.mbox(EXAMPLES / "kvm" / name, create=False)
    try:
        return [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118  a mailbox iterates over its mails
    finally:
        box.close()


def id_in(mail: bytes) -> str:
    return mail.lower().partition(b"message-id: <")[2].partition(b">")[0].decode()


def three_feeds(place: ServedPlace) -> dict[str, str]:
    feeds = [
        {"name": "mirror", "path": str(place.inbox)},
        {"name": "web", "url": place.url},
        {"name": "news", "url": place.news},
    ]
    return {
        "GRACEWATCH_FEEDS": json.dumps(feeds),
        "GRACEWATCH_ARCHIVE_CONTACT": CONTACT,
        "GRACEWATCH_ARCHIVE_URL": "",
        "GRACEWATCH_TREE_PATH": TREE,
    }


async def until_feeds(service: Watched, **wanted: bool) -> None:
    """Wait until each of these feeds is well, or is not."""
    async with asyncio.timeout(180):
        while True:
            parts = await service.app.health.parts()
            # A part that has nothing to complain of has no line.
            if all((parts.get(f"feed {name}", "ok") == "ok") is well for name, well in wanted.items()):
                return
            await asyncio.sleep(0.05)


async def until_messages(service: Watched, number: int) -> None:
    async with asyncio.timeout(180):
        while (await service.counts()).get("messages", 0) < number:
            await asyncio.sleep(0.05)


async def test_feeds_of_one_list_stand_in_for_each_other_and_a_mail_is_seen_once(
    place: ServedPlace, tmp_path: Path
) -> None:
    first, later = series("v1.mbox"), series("v3.mbox")
    place.put_many(first)
    async with at_work(tmp_path / "state", others=three_feeds(place)) as service:
        await service.until_said("kvm_device_release()")
        await until_messages(service, len(first))
        place.stop()
        await until_feeds(service, mirror=True, web=False, news=False)
        place.put_many(later[:1])
        await until_messages(service, len(first) + 1)
        (place.inbox / "git").rename(place.inbox / "away")
        await until_feeds(service, mirror=False)
        (place.inbox / "away").rename(place.inbox / "git")
        place.put_many(later[1:])
        place.start()
        await until_feeds(service, mirror=True, web=True, news=True)
        await service.until_reviewed(2)
        counts = await service.counts()
    assert counts["messages"] == len(first) + len(later)
    assert counts["series"] == 2
    assert counts["unreadable"] == 0


def configured(folder: Path, **archive: str) -> str:
    path = folder / "gracewatch.toml"
    path.write_text("[archive]\n" + "".join(f'{key} = "{value}"\n' for key, value in archive.items()))
    return str(path)


def test_a_thread_is_checked_by_its_id_and_by_its_address(place: ServedPlace, tmp_path: Path) -> None:
    mails = series("v1.mbox")
    place.put_many(mails)
    config = configured(tmp_path, url=place.url, contact=CONTACT)
    by_file = gracewatch("check", "--tree", TREE, str(EXAMPLES / "kvm/v1.mbox"))
    assert b"kvm_device_release()" in by_file.stdout
    for wanted in (id_in(mails[-1]), f"<{id_in(mails[0])}>", f"{place.url}{id_in(mails[0])}/T/#u"):
        done = gracewatch("check", "--config", config, "--tree", TREE, wanted)
        assert (done.returncode, done.stdout, done.stderr) == (1, by_file.stdout, b""), wanted


def test_a_list_a_search_and_a_thread_are_replayed_from_their_addresses(place: ServedPlace, tmp_path: Path) -> None:
    mails = series("v1.mbox")
    place.put_many(mails)
    config = configured(tmp_path, url=place.url, contact=CONTACT)
    for wanted in (place.url, f"{place.url}?q=dfn:kvm_main.c&t=1", id_in(mails[0])):
        done = gracewatch("replay", "--config", config, "--tree", TREE, wanted)
        assert (done.returncode, done.stderr) == (0, b""), wanted
        assert b"kvm_device_release()" in done.stdout, wanted
        assert re.search(rb"messages:? +%d\n" % len(mails), done.stdout), done.stdout
    away = gracewatch("replay", "--config", config, "https://lore.example.org/kvm/?q=x")
    assert away.returncode == 2
    assert b"is on a server that is not configured, and not asked" in away.stderr


@pytest.mark.parametrize(
    ("wanted", "contact", "reason"),
    [
        ("nobody@example.org", CONTACT, "no configured archive has it; check the id"),
        ("https://lore.example.org/kvm/nobody@example.org/", CONTACT, "is on a server that is not configured"),
        ("nobody@example.org", "", "set archive.contact, or GRACEWATCH_ARCHIVE_CONTACT"),
    ],
)
def test_a_thread_that_cannot_be_had_is_said_so(
    place: ServedPlace, tmp_path: Path, wanted: str, contact: str, reason: str
) -> None:
    done = gracewatch("check", "--config", configured(tmp_path, url=place.url, contact=contact), wanted)
    assert done.returncode == 2
    assert reason in done.stderr.decode()
    assert b"Traceback" not in done.stderr


async def test_people_in_chat_check_a_thread_that_came_in_by_no_feed(place: ServedPlace, tmp_path: Path) -> None:
    mails = series("v1.mbox")
    place.put_many(mails)
    feed = tmp_path / "feed"
    feed.mkdir()
    others = {"GRACEWATCH_ARCHIVE_URL": place.url, "GRACEWATCH_ARCHIVE_CONTACT": CONTACT}
    async with at_work(tmp_path / "state", feed, TREE, others=others) as service:
        await until_messages(service, 0)

        async def say(words: str) -> str:
            reply = await asked(Ask("console", "console", "U1", words), service.app.doors())
            assert isinstance(reply, Reply)
            return " ".join(render(reply.page, 500).split())

        async with asyncio.timeout(60):
            while not await service.counts():
                await asyncio.sleep(0.05)
        assert "kvm_device_release()" in await say(f"check {id_in(mails[0])}")
        assert "kvm_device_release()" in await say(f"check {place.url}{id_in(mails[0])}/")
        assert "no configured archive has it." in await say("check nobody@example.org")
        assert "not configured, and not asked" in await say("check https://lore.example.org/kvm/a@example.org/")
        place.stop()
        assert "The thread cannot be fetched." in await say("check nobody@example.org")
        assert (await service.counts())["messages"] == 0
