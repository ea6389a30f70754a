"""What every feed promises, asked of each of them on real files, real git and a real public-inbox."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive_places import ArchivePlace, LorePlace, MirrorPlace, NntpPlace
from feed_places import (
    HASTY,
    LIMIT,
    DirectoryPlace,
    FilesPlace,
    GitPlace,
    GzipPlace,
    MaildirPlace,
    MboxDirectoryPlace,
    MboxPlace,
    Place,
    XzPlace,
    mail,
)

from bot.feeds.detect import feed_at, feed_for
from bot.model import RawMail, Unreadable
from bot.ports import Feed, FeedError

needs_archive = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("public-inbox-mda"), reason="public-inbox is not installed"),
]
PLACES = [
    MboxPlace,
    GzipPlace,
    XzPlace,
    FilesPlace,
    DirectoryPlace,
    MaildirPlace,
    MboxDirectoryPlace,
    GitPlace,
    pytest.param(ArchivePlace, marks=needs_archive),
    pytest.param(LorePlace, marks=needs_archive),
    pytest.param(NntpPlace, marks=needs_archive),
    pytest.param(MirrorPlace, marks=needs_archive),
]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    build: Callable[[Path], Place] = request.param
    made = build(tmp_path)
    yield made
    made.close()


async def items(feed: Feed, position: str = "") -> list[RawMail | Unreadable]:
    return [item async for item in feed.since(position)]


async def numbers(feed: Feed, position: str = "") -> list[str]:
    """The subjects of the mails that a feed gives."""
    found = [item for item in await items(feed, position) if isinstance(item, RawMail)]
    return [item.data.partition(b"Subject: ")[2].splitlines()[0].decode() for item in found]


async def test_the_beginning_gives_every_mail_oldest_first(place: Place) -> None:
    place.put_many(mail(number) for number in range(1, 6))
    assert await numbers(place.feed()) == [f"mail {number}" for number in range(1, 6)]


async def test_a_mail_comes_with_its_own_bytes(place: Place) -> None:
    text = "a tab\there, blanks   \n\n> quoted\n\n\tif (a)\n"
    place.put_many([mail(1, text), mail(2)])
    first = (await items(place.feed()))[0]
    assert isinstance(first, RawMail)
    assert first.data.partition(b"\n\n")[2] == text.encode()


async def test_each_position_gives_what_comes_after_it(place: Place) -> None:
    place.put_many(mail(number) for number in range(1, 4))
    taken = await items(place.feed())
    rests = [await numbers(place.feed(), item.position) for item in taken]
    assert rests == [["mail 2", "mail 3"], ["mail 3"], []]


async def test_new_mail_comes_after_the_last_position(place: Place) -> None:
    place.put(mail(1))
    position = (await items(place.feed()))[-1].position
    assert await items(place.feed(), position) == []
    place.put(mail(2))
    assert await numbers(place.feed(), position) == ["mail 2"]
    place.put(mail(3))
    assert await numbers(place.feed(), position) == ["mail 2", "mail 3"]


async def test_new_mail_comes_to_the_same_feed_object_too(place: Place) -> None:
    place.put(mail(1))
    feed = place.feed()
    position = (await items(feed))[-1].position
    place.put(mail(2))
    assert await numbers(feed, position) == ["mail 2"]


async def test_an_empty_place_has_no_mail(place: Place) -> None:
    assert await numbers(place.feed()) == []


async def test_the_count_is_what_comes(place: Place) -> None:
    place.put_many(mail(number) for number in range(1, 4))
    first = (await items(place.feed()))[0].position
    assert await place.feed().count("") == 3
    assert await place.feed().count(first) == 2


async def test_a_mail_that_is_too_large_is_said_so_and_the_others_come(place: Place) -> None:
    place.put_many([mail(1), mail(2, "x" * 70 + "\n" + "a longer line\n" * LIMIT), mail(3)])
    taken = await items(place.feed())
    assert [type(item) for item in taken] == [RawMail, Unreadable, RawMail]
    assert isinstance(taken[1], Unreadable)
    assert "more than the 4096" in taken[1].reason
    assert taken[1].cure
    assert await numbers(place.feed(), taken[1].position) == ["mail 3"]


async def test_a_mail_that_is_too_large_and_last_is_not_met_again(place: Place) -> None:
    place.put(mail(1, "a longer line\n" * LIMIT))
    (only,) = await items(place.feed())
    assert await items(place.feed(), only.position) == []


async def test_a_place_that_is_gone_is_a_feed_error_with_its_name_and_a_cure(place: Place) -> None:
    place.put(mail(1))
    feed = place.feed()
    place.destroy()
    with pytest.raises(FeedError, match=r"(kvm|inbox|archive|mails).*(check the path|mirror it)"):
        await items(feed)


async def test_a_feed_that_is_left_early_leaves_nothing_behind(place: Place) -> None:
    place.put_many(mail(number) for number in range(1, 4))
    async for item in place.feed().since(""):
        assert isinstance(item, RawMail)
        break


async def test_a_position_of_another_kind_loses_no_mail(place: Place) -> None:
    place.put(mail(1))
    assert await numbers(place.feed(), "not a position at all") == ["mail 1"]


async def test_the_place_is_recognised(place: Place, tmp_path: Path) -> None:
    place.put(mail(1))
    path = str(place.path)
    feed = feed_at(path, HASTY) if "://" in path else feed_for(path)
    assert await numbers(feed) == ["mail 1"]
