"""A real public-inbox is mirrored while mail arrives, epochs roll, history is rewritten and the server stops."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bot.feeds.detect import Web, feed_at, feed_named
from bot.feeds.mirror import Mirror, list_of
from bot.model import Unreadable
from bot.ports import Feed, FeedError

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from archive_places import MirrorPlace
from feed_places import HASTY, add_mails, mail

needs_archive = [
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("public-inbox-netd"), reason="public-inbox is not installed"),
]
archive = [pytest.param(None, marks=needs_archive)]


@pytest.fixture(params=archive)
def place(tmp_path: Path) -> Iterator[MirrorPlace]:
    made = MirrorPlace(tmp_path)
    yield made
    made.close()


async def read(feed: Feed, position: str = "") -> tuple[list[int], list[str], str]:
    """The numbers of the mails that came, what was said beside them, and the last position."""
    numbers, said, last = [], [], position
    async for item in feed.since(position):
        last = item.position or last
        if isinstance(item, Unreadable):
            said.append(item.reason)
        else:
            numbers.append(int(item.data.partition(b"Subject: mail ")[2].split()[0]))
    return numbers, said, last


def mails(*numbers: int) -> list[bytes]:
    return [mail(number) for number in numbers]


def shallow(place: MirrorPlace, backlog: int) -> Mirror:
    return Mirror(place.url, HASTY, place.mirrors, name="kvm", backlog=backlog)


def commits(place: MirrorPlace, epoch: int = 0) -> int:
    (mirror,) = place.mirrors.glob(f"*/git/{epoch}.git")
    done = subprocess.run(["git", "-C", mirror, "rev-list", "--count", "--all"], capture_output=True, check=True)
    return int(done.stdout)


async def test_an_epoch_that_begins_while_the_list_is_followed_is_followed_too(place: MirrorPlace) -> None:
    feed = place.feed()
    place.put_many(mails(1, 2))
    numbers, _, position = await read(feed)
    assert numbers == [1, 2]
    place.put_many(mails(3))  # the end of the old one and the beginning of two new ones between two looks
    for number in (4, 5):
        place.new_epoch()
        place.put_many(mails(number))
    numbers, said, position = await read(feed, position)
    assert (numbers, said) == ([3, 4, 5], [])
    place.new_epoch()  # one that has no mail yet
    place.index()
    assert await read(feed, position) == ([], [], position)
    place.put_many(mails(6))
    assert (await read(place.feed(), position))[0] == [6]


async def test_at_the_beginning_the_newest_are_fetched_from_as_many_epochs_as_it_takes(place: MirrorPlace) -> None:
    place.put_many(mails(*range(1, 21)))
    place.new_epoch()
    place.put_many(mails(21, 22, 23))
    feed = shallow(place, 5)
    numbers, said, position = await read(feed)
    assert (numbers, said) == ([19, 20, 21, 22, 23], [])
    place.put_many(mails(24))
    assert (await read(feed, position))[0] == [24]
    assert commits(place) == 2


async def test_epochs_before_the_beginning_are_never_fetched(place: MirrorPlace) -> None:
    place.put_many(mails(1, 2))
    place.new_epoch()
    place.put_many(mails(3, 4, 5))
    feed = shallow(place, 2)
    numbers, _, position = await read(feed)
    place.put_many(mails(6))
    assert numbers + (await read(feed, position))[0] == [4, 5, 6]
    assert not list(place.mirrors.glob("*/git/0.git"))


async def test_a_mail_that_is_purged_costs_no_other(place: MirrorPlace) -> None:
    place.put_many(mails(*range(1, 7)))
    feed = place.feed()
    _, _, position = await read(feed)
    place.purge(mail(4))
    place.put_many(mails(7))
    numbers, said, position = await read(feed, position)
    assert numbers == [5, 6, 7]  # those behind it are met again, and known by their ids
    assert "epoch 0 was rewritten" in said[0]
    assert await read(feed, position) == ([], [], position)


@pytest.mark.parametrize("purged", [3, 18])
async def test_a_purge_before_or_behind_the_beginning_brings_no_mail_from_before_it(
    place: MirrorPlace, purged: int
) -> None:
    place.put_many(mails(*range(1, 21)))
    feed = shallow(place, 5)
    numbers, _, position = await read(feed)
    assert numbers == [16, 17, 18, 19, 20]
    place.purge(mail(purged))
    place.put_many(mails(21, 22))
    numbers, said, position = await read(feed, position)
    assert [number for number in numbers if number > 20] == [21, 22]
    assert min(numbers) >= 16
    assert "was rewritten" in said[0]
    assert commits(place) == 5
    place.put_many(mails(23))
    assert (await read(place.feed(), position))[0] == [23]


async def test_a_deleted_mail_is_passed_over(place: MirrorPlace) -> None:
    place.put_many(mails(1, 2))
    place.run("public-inbox-learn", "rm", stdin=mail(2))
    add_mails(place.epoch, mails(1), "d")
    place.put_many(mails(3))
    assert (await read(place.feed()))[:2] == ([1, 2, 3], [])


async def test_a_server_that_stops_loses_nothing_and_gives_nothing_twice(place: MirrorPlace) -> None:
    place.put_many(mails(1, 2))
    feed = place.feed()
    numbers, _, position = await read(feed)
    place.stop()
    place.put_many(mails(3))
    with pytest.raises(FeedError, match=r"kvm: .*(Connect|refused)"):
        await read(feed, position)
    place.start()
    more, said, position = await read(feed, position)
    assert (numbers + more, said) == ([1, 2, 3], [])
    assert await read(feed, position) == ([], [], position)


async def test_a_fetch_that_is_cut_off_is_begun_anew(place: MirrorPlace) -> None:
    place.put_many(mails(*range(1, 60)))
    for delay in (0.05, 0.15, 0.3):
        with suppress(TimeoutError):
            await asyncio.wait_for(read(shallow(place, 10)), delay)
    for git_dir in place.mirrors.glob("*/git/0.git"):
        (git_dir / "shallow.lock").touch()  # as a git leaves it that is killed
    assert (await read(shallow(place, 10)))[0] == list(range(50, 60))
    assert commits(place) == 10


async def test_an_epoch_that_did_not_change_is_not_asked_for(place: MirrorPlace) -> None:
    asked: list[str] = []

    async def passed_on(request: web.Request) -> web.Response:
        """What the real server answers."""
        asked.append(request.path.rpartition("/")[2])
        kept = {name: value for name, value in request.headers.items() if name.startswith(("Content", "Git", "Accept"))}
        address = f"http://127.0.0.1:{place.server.http}{request.path_qs}"
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(request.method, address, data=await request.read() or None, headers=kept) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    place.put_many(mails(1))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", passed_on)
    async with TestServer(app) as proxy:
        feed = Mirror(str(proxy.make_url(f"/{place.inbox_name}/")), HASTY, place.mirrors, name="kvm")
        numbers, _, position = await read(feed)
        assert "git-upload-pack" in asked
        asked.clear()
        assert await read(feed, position) == ([], [], position)
        assert asked == ["manifest.js.gz"]
        place.put_many(mails(2))
        assert numbers + (await read(feed, position))[0] == [1, 2]


async def test_one_epoch_can_be_named_and_is_mirrored_for_one_reading(place: MirrorPlace) -> None:
    place.put_many(mails(1))
    place.new_epoch()
    place.put_many(mails(2))
    known = Web([place.url], HASTY)
    assert (await read(feed_named(f"{place.url}0", lambda: known)))[0] == [1]
    assert (await read(feed_named(f"{place.url}1.git", lambda: known)))[0] == [2]
    by_kind = feed_at(place.url, HASTY, kind="public-inbox")
    assert isinstance(by_kind, Mirror)
    assert await by_kind.count("") is None
    assert (await read(by_kind))[0] == [1, 2]


@dataclass
class Odd:
    """A server with a manifest of one's own, and no git behind it."""

    url: str = ""
    asked: list[web.Request] = field(default_factory=list)
    body: bytes = b""
    kind: str = "application/gzip"
    git: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        if request.path == "/kvm/manifest.js.gz":
            news = request.headers.get("If-None-Match") != '"one"'
            body = self.body if news else b""
            return web.Response(
                status=200 if news else 304, body=body, content_type=self.kind, headers={"ETag": '"one"'}
            )
        if request.path.startswith("/away/"):
            raise web.HTTPFound("http://elsewhere.invalid/")
        if self.git and request.path.endswith("/info/refs"):
            return web.Response(body=b"no refs", content_type="application/x-git-upload-pack-advertisement")
        return web.Response(text="<!doctype html><title>Making sure you are no robot</title>", content_type="text/html")


@pytest.fixture
async def odd() -> AsyncIterator[Odd]:
    it = Odd()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.answer)
    async with TestServer(app) as server:
        it.url = str(server.make_url("/kvm/"))
        yield it


def manifest(*paths: str) -> bytes:
    return gzip.compress(json.dumps({path: {"fingerprint": "f"} for path in paths}).encode(), mtime=0)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"<!doctype html>", "text/html", "it shows a web page, not what was asked for"),
        (b"not json", "application/gzip", "its manifest.js.gz makes no sense"),
        (b"[]", "application/gzip", "its manifest.js.gz makes no sense"),
        (b'{"/kvm/git/0.git": 7}', "application/gzip", "its manifest.js.gz makes no sense"),
        (b"[" * 100_000, "application/gzip", "its manifest.js.gz makes no sense"),
        (
            gzip.compress(b" " * (16 << 20), mtime=0),
            "application/gzip",
            "makes no sense: it unpacks to more than 8388608 bytes",
        ),
        (manifest("/kvm/git/0.git")[:-9], "application/gzip", "its manifest.js.gz makes no sense"),
        (manifest("/kvm/git/0.git"), "application/gzip", "it shows a web page, not what was asked for"),
    ],
)
async def test_a_manifest_or_a_git_that_is_none_is_a_failure(
    odd: Odd, tmp_path: Path, body: bytes, kind: str, reason: str
) -> None:
    odd.body, odd.kind = body, kind
    with pytest.raises(FeedError, match=reason):
        await read(Mirror(odd.url, HASTY, tmp_path, name="kvm"))


async def test_addresses_in_a_manifest_are_not_followed(odd: Odd, tmp_path: Path) -> None:
    odd.body = manifest(
        "http://elsewhere.invalid/kvm/git/x.git", "/../../etc/git/1.git", "/other/git/2.git", "--x/git/3.git"
    )
    assert await read(Mirror(odd.url, HASTY, tmp_path, name="kvm")) == ([], [], "")
    assert len(odd.asked) == 1


async def test_git_says_who_asks_and_goes_nowhere_else(odd: Odd, tmp_path: Path) -> None:
    odd.body, odd.git = manifest("/kvm/git/0.git"), True
    away = odd.url.replace("/kvm/", "/away/kvm/")
    with pytest.raises(FeedError, match="cannot be fetched"):
        await read(Mirror(odd.url, HASTY, tmp_path, name="kvm"))
    assert {request.headers["User-Agent"] for request in odd.asked} == {HASTY.user_agent}
    assert any(request.path.startswith("/kvm/0/info/refs") for request in odd.asked)
    with pytest.raises(FeedError, match=r"it sends us away to 'http://elsewhere\.invalid/'"):
        await read(Mirror(away, HASTY, tmp_path, name="kvm"))


async def test_a_manifest_that_did_not_change_is_not_sent_again(odd: Odd, tmp_path: Path) -> None:
    odd.body = manifest()
    feed = Mirror(odd.url, HASTY, tmp_path, name="kvm")
    assert await read(feed) == await read(feed) == ([], [], "")
    assert [request.headers.get("If-None-Match") for request in odd.asked] == [None, '"one"']


@pytest.mark.archive
@needs_archive[1]
async def test_git_asks_at_the_address_that_was_looked_up(tmp_path: Path) -> None:
    place = MirrorPlace(tmp_path)
    place.put_many(mails(1))
    feed = Mirror(place.url.replace("127.0.0.1", "localhost"), HASTY, tmp_path, name="kvm")
    assert (await read(feed))[0] == [1]


async def test_a_folder_that_cannot_be_written_is_said_so(odd: Odd, tmp_path: Path) -> None:
    odd.body = manifest("/kvm/git/0.git")
    (tmp_path / "file").touch()
    with pytest.raises(FeedError, match=r"cannot be written: .*; check state\.folder"):
        await read(Mirror(odd.url, HASTY, tmp_path / "file", name="kvm"))


@pytest.mark.parametrize(
    ("url", "home", "epoch"),
    [
        ("https://lore.kernel.org/kvm/", "https://lore.kernel.org/kvm/", None),
        ("https://lore.kernel.org/kvm/0", "https://lore.kernel.org/kvm/", 0),
        ("https://lore.kernel.org/kvm/17.git/", "https://lore.kernel.org/kvm/", 17),
        ("https://lore.kernel.org/kvm2/", "https://lore.kernel.org/kvm2/", None),
    ],
)
def test_an_address_names_a_list_or_one_of_its_epochs(url: str, home: str, epoch: int | None) -> None:
    assert list_of(url) == (home, epoch)
