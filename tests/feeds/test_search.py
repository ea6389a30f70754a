"""The search of a real public-inbox is read like any other feed, and whatever a person names finds its feed."""

from __future__ import annotations

import gzip
import re
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.feeds.detect import Web, feed_named
from bot.feeds.search import Search
from bot.model import RawMail, Unreadable
from bot.ports import Feed, FeedError

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from archive_places import LorePlace
from feed_places import FROM_LINE, HASTY, mail

needs_archive = pytest.mark.skipif(not shutil.which("public-inbox-netd"), reason="public-inbox is not installed")


@pytest.fixture
def lore(tmp_path: Path) -> Iterator[LorePlace]:
    place = LorePlace(tmp_path)
    yield place
    place.close()


def web_of(*homes: str) -> Web:
    return Web(homes, HASTY)


def patch(number: int, path: str = "virt/kvm/kvm_main.c", parent: int = 0) -> bytes:
    data = mail(number, f"---\ndiff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n")
    return data.replace(b"\n\n", f"\nIn-Reply-To: <{parent}@example.org>\n\n".encode(), 1) if parent else data


async def read(feed: Feed) -> tuple[list[str], list[str]]:
    """The subjects that come, and what is said beside them."""
    items = [item async for item in feed.since("")]
    subjects = [
        re.findall(rb"^Subject: (.+)$", item.data, re.M)[0].decode() for item in items if isinstance(item, RawMail)
    ]
    return subjects, [item.reason for item in items if isinstance(item, Unreadable)]


@pytest.mark.archive
@needs_archive
async def test_what_a_search_finds_comes_oldest_first(lore: LorePlace) -> None:
    lore.put_many([patch(1), patch(2, "fs/inode.c"), patch(3), patch(4), mail(5)])
    found = feed_named(f"{lore.url}?q=dfn:kvm_main.c", lambda: web_of(lore.url))
    assert isinstance(found, Search)
    assert await read(found) == (["mail 1", "mail 3", "mail 4"], [])


@pytest.mark.archive
@needs_archive
async def test_whole_threads_of_what_is_found_can_be_asked_for(lore: LorePlace) -> None:
    lore.put_many([patch(1), mail(2), patch(3, "fs/inode.c", parent=1)])
    subjects, said = await read(feed_named(f"{lore.url}?q=dfn:kvm_main.c&t=1", lambda: web_of(lore.url)))
    assert sorted(subjects) == ["mail 1", "mail 3"]
    assert said == []


@pytest.mark.archive
@needs_archive
async def test_a_search_that_finds_nothing_is_empty(lore: LorePlace) -> None:
    lore.put(patch(1))
    assert await read(feed_named(f"{lore.url}?q=dfn:nowhere.c", lambda: web_of(lore.url))) == ([], [])


@pytest.mark.archive
@needs_archive
async def test_a_list_a_thread_and_an_id_are_feeds_too(lore: LorePlace) -> None:
    lore.put_many([patch(1), mail(2), patch(3, "fs/inode.c", parent=1)])
    known = web_of(lore.url, lore.news)
    for named, subjects in (
        (lore.url, ["mail 1", "mail 2", "mail 3"]),
        (lore.news, ["mail 1", "mail 2", "mail 3"]),
        ("3@example.org", ["mail 1", "mail 3"]),
        ("<1@example.org>", ["mail 1", "mail 3"]),
        (f"{lore.url}1@example.org/T/#u", ["mail 1", "mail 3"]),
    ):
        assert sorted((await read(feed_named(named, lambda: known)))[0]) == subjects, named


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("https://elsewhere.example.org/kvm/?q=x", "is on a server that is not configured, and not asked"),
        ("https://lore.example.org.evil.example/kvm/", "is on a server that is not configured, and not asked"),
        ("http://lore.example.org/kvm/", "is on a server that is not configured, and not asked"),
        ("nntp://elsewhere.example.org/kvm", "is on a server that is not configured, and not asked"),
        ("https://[", "is no address; copy it"),
        ("gopher://lore.example.org/kvm", "is no address|is on a server that is not configured"),
        ("https://lore.example.org/kvm/?q=+", "it asks for nothing; write what to look for"),
        ("no/such/file", "there is no such file"),
    ],
)
def test_what_cannot_be_a_feed_is_refused_before_anyone_is_asked(named: str, reason: str) -> None:
    with pytest.raises(FeedError, match=reason):
        feed_named(named, lambda: web_of("https://lore.example.org/kvm/"))


async def test_an_id_that_nobody_has_is_said_so(lore: LorePlace) -> None:
    lore.put(mail(1))
    with pytest.raises(FeedError, match="no configured archive has it"):
        await read(feed_named("nobody@example.org", lambda: web_of(lore.url)))


@pytest.fixture
async def answering() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server whose search answers with the one body in the list."""
    bodies: list[bytes] = []

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=bodies[0], content_type="application/gzip")

    app = web.Application()
    app.router.add_post("/kvm/", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/kvm/?q=x")), bodies


async def test_an_answer_that_breaks_off_gives_what_came(answering: tuple[str, list[bytes]]) -> None:
    url, bodies = answering
    bodies.append(gzip.compress(FROM_LINE + mail(2) + b"\n" + FROM_LINE + mail(1) + b"\n")[:-8])
    subjects, said = await read(Search(url, HASTY))
    assert subjects == ["mail 2"]
    assert "came damaged" in said[0]


async def test_an_answer_without_end_is_cut_and_what_came_before_it_is_given(
    answering: tuple[str, list[bytes]],
) -> None:
    url, bodies = answering
    endless = b"Subject: endless\n\n" + b"\0" * (32 << 20)
    bodies.append(gzip.compress(FROM_LINE + mail(1) + b"\n" + FROM_LINE + endless, 9))
    subjects, said = await read(Search(url, HASTY, most=1 << 20))
    assert subjects == ["mail 1"]
    assert said == ["it finds too much; the oldest of it was left out"]
