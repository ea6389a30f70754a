"""A real public-inbox is followed over HTTP and NNTP while mail arrives: nothing is lost, nothing comes twice."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.feeds.lore import Lore
from bot.feeds.nntp import Nntp
from bot.feeds.threads import Threads
from bot.model import RawMail, Unreadable
from bot.ports import Feed, FeedError

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from archive_places import LorePlace, NntpPlace, ServedPlace
from feed_places import HASTY

pytestmark = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("public-inbox-netd"), reason="public-inbox is not installed"),
]


@pytest.fixture
def lore(tmp_path: Path) -> Iterator[LorePlace]:
    place = LorePlace(tmp_path)
    yield place
    place.close()


@pytest.fixture(params=[LorePlace, NntpPlace])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServedPlace]:
    made = request.param(tmp_path)
    yield made
    made.close()


def at(second: int, name: str | None = None, parent: str = "", text: str = "hello\n") -> bytes:
    """A mail that comes so many seconds after noon."""
    name = name or f"at-{second}"
    minutes, seconds = divmod(second, 60)
    reply = f"In-Reply-To: <{parent}>\n" if parent else ""
    return (
        f"From: Mara <mara@example.org>\nTo: kvm@lists.example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n"
        f"Date: Mon, 20 Apr 2026 {12 + minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d} +0000\n{reply}\n{text}"
    ).encode()


async def read(feed: Feed, position: str = "") -> tuple[list[str], list[str], str]:
    """The subjects that came, what was said beside them, and the last position."""
    subjects, said, last = [], [], position
    async for item in feed.since(position):
        last = item.position or last
        if isinstance(item, Unreadable):
            said.append(item.reason)
        else:
            subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
    return subjects, said, last


def names(*seconds: int) -> list[str]:
    return [f"at-{second}" for second in seconds]


async def test_more_mails_than_a_page_holds_all_come_in_order(place: ServedPlace) -> None:
    place.put_many([at(number) for number in range(130)])
    subjects, said, position = await read(place.feed())
    assert subjects == names(*range(130))
    assert said == []
    place.put_many([at(number) for number in range(130, 200)])
    assert (await read(place.feed(), position))[0] == names(*range(130, 200))


async def test_a_server_that_stops_and_starts_loses_nothing_and_gives_nothing_twice(place: ServedPlace) -> None:
    place.put_many([at(number) for number in range(30)])
    feed = place.feed()
    subjects, _, position = await read(feed)
    place.stop()
    place.put_many([at(number) for number in range(30, 90)])
    with pytest.raises(FeedError, match=r"kvm: .*(Connect|refused).*check the address"):
        await read(feed, position)
    place.start()
    more, _, position = await read(feed, position)
    assert subjects + more == names(*range(90))
    assert await read(feed, position) == ([], [], position)


async def test_a_server_that_dies_while_it_is_read_is_gone_on_with(place: ServedPlace) -> None:
    place.put_many([at(number) for number in range(120)])
    subjects: list[str] = []
    position = ""
    feed = place.feed()

    async def read_until_it_dies() -> None:
        nonlocal position
        async for item in feed.since(""):
            assert isinstance(item, RawMail)
            subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
            position = item.position
            if len(subjects) == 20:
                place.stop()

    with pytest.raises(FeedError):
        await read_until_it_dies()
    assert 20 <= len(subjects) < 120
    place.start()
    more, _, _ = await read(feed, position)
    assert subjects + more == names(*range(120))


async def test_at_the_beginning_only_the_newest_are_taken_and_then_what_follows(place: ServedPlace) -> None:
    place.put_many([at(number) for number in range(60)])
    feed = (
        Lore(place.url, HASTY, name="kvm", backlog=10)
        if isinstance(place, LorePlace)
        else Nntp(place.news, name="kvm", backlog=10)
    )
    subjects, said, position = await read(feed)
    assert subjects == names(*range(50, 60))
    assert said == []
    place.put_many([at(60)])
    assert (await read(feed, position))[0] == names(60)


async def test_a_mail_that_comes_in_late_is_not_lost(place: ServedPlace) -> None:
    place.put_many([at(number) for number in range(0, 120, 2)])
    _, _, position = await read(place.feed())
    place.put_many([at(31), at(111)])
    assert (await read(place.feed(), position))[0] == names(31, 111)


async def test_more_mails_of_one_second_than_a_page_holds_all_come(place: ServedPlace) -> None:
    crowd = [f"crowd-{number}" for number in range(60)]
    place.put_many([at(1), *(at(5, name) for name in crowd), at(9)])
    subjects, said, position = await read(place.feed())
    assert (subjects[0], subjects[-1]) == ("at-1", "at-9")
    assert sorted(subjects[1:-1]) == sorted(crowd)
    assert said == []
    assert (await read(place.feed(), position))[0] == []


async def test_each_position_in_a_crowd_goes_on_with_the_rest(lore: LorePlace) -> None:
    lore.put_many([at(5, f"crowd-{number}") for number in range(40)])
    positions, subjects = [], []
    async for item in lore.feed().since(""):
        assert isinstance(item, RawMail)
        positions.append(item.position)
        subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
    assert (await read(lore.feed(), positions[19]))[0] == subjects[20:]


async def test_a_mail_from_the_future_hides_nothing(lore: LorePlace) -> None:
    future = at(1, "future").replace(b"Apr 2026", b"Apr 2096")
    lore.put_many([at(1), future])
    subjects, _, position = await read(lore.feed())
    assert sorted(subjects) == ["at-1", "future"]
    lore.put_many([at(number) for number in range(2, 40)])
    assert (await read(lore.feed(), position))[0] == names(*range(2, 40))


async def test_ids_that_look_like_addresses_are_asked_for_as_they_are(lore: LorePlace) -> None:
    odd = ["a/b", "../../etc", "x?y=1#z", "per%2Fcent", "a b", "ünïcode", "semi;colon&amp"]
    lore.put_many([at(number, name) for number, name in enumerate(odd)])
    feed, position = lore.feed(), ""
    subjects: list[str] = []
    said: list[str] = []
    for _ in range(6):  # one that the server lists and does not give is looked for again at first
        some, reasons, position = await read(feed, position)
        subjects, said = subjects + some, said + reasons
    assert len(subjects) + len(said) == len(odd)
    assert {"a/b", "../../etc", "x?y=1#z", "per%2Fcent", "semi;colon&amp"} <= set(subjects)


async def test_lines_that_begin_with_from_or_a_dot_come_as_they_were_written(place: ServedPlace) -> None:
    text = ".\n..\n.x\n\nFrom me to you\n>From here\n\nFrom a@b Mon Sep 17 00:00:00 2001\nTo: x\n"
    place.put_many([at(1, text=text), at(2)])
    items = [item async for item in place.feed().since("")]
    assert [type(item) for item in items] == [RawMail, RawMail]
    assert isinstance(items[0], RawMail)
    assert items[0].data.partition(b"\n\n")[2] == text.encode()


async def test_an_inbox_that_is_not_there_is_said_so(lore: LorePlace) -> None:
    with pytest.raises(FeedError, match=r"there is no inbox at .*/nope/; check the path"):
        await read(Lore(lore.url.replace(lore.inbox_name, "nope"), HASTY, name="kvm"))


async def test_a_newsgroup_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    place = NntpPlace(tmp_path)
    try:
        with pytest.raises(FeedError, match=r"the server has no group 'no.such.group'.*check the path"):
            await read(Nntp(place.news.replace(place.group, "no.such.group"), name="kvm"))
    finally:
        place.close()


async def test_a_news_server_that_was_rebuilt_is_read_again(tmp_path: Path) -> None:
    place = NntpPlace(tmp_path)
    try:
        place.put_many([at(1), at(2)])
        subjects, said, _ = await read(place.feed(), "7")
        assert subjects == names(1, 2)
        assert "read again from its beginning" in said[0]
    finally:
        place.close()


async def test_a_thread_is_fetched_by_the_id_or_the_address_of_any_of_its_mails(lore: LorePlace) -> None:
    lore.put_many([at(1), at(2, parent="at-1@example.org"), at(3, parent="at-2@example.org"), at(9)])
    threads = Threads([lore.url], HASTY)
    for wanted in (
        "at-2@example.org",
        "<at-3@example.org>",
        "id:at-1@example.org",
        f"{lore.url}at-2@example.org/",
        f"{lore.url}at-2@example.org/T/#u",
        f"{lore.url}at-2%40example.org/t.mbox.gz",
        lore.url.replace(f"/{lore.inbox_name}/", "/r/at-2@example.org/"),
    ):
        found = [item.data for item in await threads.fetch(wanted) if isinstance(item, RawMail)]
        subjects = sorted(re.findall(rb"^Subject: (\S+)$", b"\n".join(found), re.MULTILINE))
        assert subjects == [b"at-1", b"at-2", b"at-3"], wanted


async def test_a_thread_that_no_archive_has_is_empty(lore: LorePlace) -> None:
    lore.put_many([at(1)])
    assert await Threads([lore.url], HASTY).fetch("nobody@example.org") == ()


async def test_an_address_on_another_server_is_not_asked(lore: LorePlace) -> None:
    for other in ("https://lore.example.org/kvm/at-1@example.org/", lore.url.replace("http:", "https:") + "a@b"):
        with pytest.raises(FeedError, match=r"not configured, and not asked"):
            await Threads([lore.url], HASTY).fetch(other)


@pytest.mark.parametrize("wanted", ["", "what is this", "../../etc/passwd", "@", "http://[", "https://"])
async def test_what_is_no_id_and_no_address_is_refused_with_a_cure(wanted: str) -> None:
    with pytest.raises(FeedError, match=r"; (give|copy)"):
        await Threads(["http://127.0.0.1:9/kvm/"], HASTY).fetch(wanted)
