"""Servers that do what servers do on bad days: each is a feed failure with its reason, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import gzip
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from bot.feeds.addresses import InsideError, is_inside, lookup
from bot.feeds.lore import Lore
from bot.feeds.nntp import Nntp
from bot.feeds.threads import Threads
from bot.feeds.visitor import retry_after
from bot.model import RawMail, Unreadable
from bot.ports import Feed, FeedError

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from feed_places import HASTY

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]
LIMIT = 4096
PATIENT = replace(HASTY, rest=600.0)
CHALLENGE = "<!doctype html><title>Making sure you are no robot</title>"


def atom(*entries: str) -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>'


def entry(number: int) -> str:
    return (
        f'<entry><link href="http://elsewhere.invalid/kvm/{number}@example.org/"/>'
        f"<updated>2026-04-20T12:00:{number:02d}Z</updated></entry>"
    )


@dataclass
class Remote:
    """A server of two mails, with an answer of one's own for the next requests to a path that ends so."""

    url: str = ""
    asked: list[web.Request] = field(default_factory=list)
    odd: dict[str, list[Respond]] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        for end, answers in self.odd.items():
            if request.path.endswith(end) and answers:
                return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)
        if request.path == "/kvm/new.atom" and "t" not in request.query:
            headers = {"ETag": '"two"'}
            if request.headers.get("If-None-Match") == '"two"':
                return web.Response(status=304, headers=headers)
            text = atom(entry(2), entry(1))
            return web.Response(text=text, content_type="application/atom+xml", headers=headers)
        if request.path.endswith("/raw"):
            return mail(request)
        return web.Response(status=404, text="not here")

    def feed(self) -> Lore:
        return Lore(self.url, HASTY, name="kvm", limit=LIMIT)


def mail(request: web.Request) -> web.Response:
    text = f"From mboxrd@z Thu Jan  1 00:00:00 1970\nSubject: {request.path.split('/')[2]}\n\nhello\n\n"
    return web.Response(text=text, content_type="text/plain")


def says(status: int, text: str = "", kind: str = "text/plain", **headers: str) -> Respond:
    async def respond(_request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, content_type=kind, headers=named)

    return respond


async def good(request: web.Request) -> web.StreamResponse:
    if request.path.endswith("/raw"):
        return mail(request)
    if "t" in request.query:
        return web.Response(status=404)
    return web.Response(text=atom(entry(2), entry(1)), content_type="application/atom+xml")


async def stalls(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def drips(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/atom+xml"})
    await response.prepare(request)
    for _ in range(300):
        await response.write(b" ")
        await asyncio.sleep(0.1)
    return response


async def hangs_up(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/atom+xml", "Content-Length": "999"})
    await response.prepare(request)
    await response.write(b"<feed")
    assert request.transport
    request.transport.abort()
    return response


async def floods(request: web.Request) -> web.StreamResponse:
    kind = "application/atom+xml" if "atom" in request.path else "text/plain"
    response = web.StreamResponse(headers={"Content-Type": kind})
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"x" * (1 << 20))
    return response


@asynccontextmanager
async def served() -> AsyncIterator[Remote]:
    remote = Remote()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", remote.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    remote.url = f"http://127.0.0.1:{runner.addresses[0][1]}/kvm/"
    try:
        yield remote
    finally:
        await runner.cleanup()


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    async with served() as made:
        yield made


async def read(feed: Feed, position: str = "") -> tuple[list[str], str]:
    """The subjects that came, what could not be read in brackets, and the last position."""
    subjects = []
    async for item in feed.since(position):
        position = item.position or position
        if isinstance(item, RawMail):
            subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
        else:
            subjects.append(f"[{item.reason}]")
    return subjects, position


BOTH = ["1@example.org", "2@example.org"]


async def test_the_server_is_told_who_asks(remote: Remote) -> None:
    assert (await read(remote.feed()))[0] == BOTH
    assert {request.headers["User-Agent"] for request in remote.asked} == {HASTY.user_agent}
    assert HASTY.user_agent.startswith("gracewatch/")
    assert HASTY.user_agent.endswith("(+tests@example.org)")


async def test_nobody_is_asked_without_a_contact(remote: Remote) -> None:
    with pytest.raises(FeedError, match=r"set archive\.contact"):
        Lore(remote.url, replace(HASTY, contact=""))


async def test_links_to_elsewhere_are_not_followed(remote: Remote) -> None:
    await read(remote.feed())
    assert {request.host for request in remote.asked} == {remote.url.split("/")[2]}


async def test_a_page_that_did_not_change_is_not_sent_again(remote: Remote) -> None:
    feed = remote.feed()
    _, position = await read(feed)
    await read(feed, position)
    remote.asked.clear()
    assert await read(feed, position) == ([], position)
    assert [request.headers.get("If-None-Match") for request in remote.asked] == ['"two"']
    assert (await read(feed))[0] == BOTH  # a position that was lost is not answered with "nothing changed"


@pytest.mark.parametrize("path", ["new.atom", "/raw"])
async def test_a_web_page_in_place_of_what_was_asked_for_is_a_failure_and_the_server_is_left_alone(
    remote: Remote, path: str
) -> None:
    remote.odd[path] = [says(200, CHALLENGE, "text/html")]
    feed = Lore(remote.url, PATIENT, name="kvm")
    with pytest.raises(FeedError, match=r"kvm: it shows a web page.*left alone for 600 seconds"):
        await read(feed)
    remote.asked.clear()
    with pytest.raises(FeedError, match=r"web page.*asked again in \d+ seconds"):
        await read(feed)
    assert remote.asked == []
    remote.odd.clear()
    assert (await read(remote.feed()))[0] == BOTH


async def test_a_failure_between_two_mails_keeps_the_first_and_loses_not_the_second(remote: Remote) -> None:
    remote.odd["2@example.org/raw"] = [says(500)]
    feed, taken = remote.feed(), []

    async def read_until_it_fails() -> None:
        async for item in feed.since(""):
            taken.append(item)  # noqa: PERF401  what came before the fault is asked for

    with pytest.raises(FeedError, match="the server says 500"):
        await read_until_it_fails()
    remote.odd.clear()
    assert len(taken) == 1
    assert (await read(feed, taken[0].position))[0] == ["2@example.org"]


@pytest.mark.parametrize("odd", [says(503), says(429, Retry_After="0"), says(502), stalls, hangs_up])
async def test_what_passes_is_tried_again(remote: Remote, odd: Respond) -> None:
    remote.odd["new.atom"] = [odd, good]
    hurried = replace(HASTY, answer_within=1.0)
    assert (await read(Lore(remote.url, hurried, name="kvm")))[0] == BOTH


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (says(503), "the server says 503 Service Unavailable"),
        (says(403), "the server says 403 Forbidden"),
        (stalls, "no whole answer within 0.3 seconds"),
        (drips, "no whole answer within 0.3 seconds"),
        (hangs_up, "ClientPayloadError"),
        (floods, "a page of it has more than"),
        (says(200, "{}", "application/json"), "the server gives 'application/json', not application/atom"),
        (says(200, "<feed", "application/atom+xml"), "it is no XML"),
        (says(200, "<html/>", "application/atom+xml"), "it is XML, but no Atom feed"),
        (says(200, "<!DOCTYPE a [<!ENTITY b 'c'>]><feed/>", "application/atom+xml"), "it has a document type"),
        (says(302, Location="https://elsewhere.example.org/kvm/new.atom"), "it sends us away to 'https://elsewhere"),
        (says(301, Location="//169.254.169.254/latest"), "it sends us away to '//169"),
        (says(302), "it sends us away to ''"),
        (says(302, Location="/kvm/new.atom"), "it sends us in circles"),
    ],
)
async def test_what_does_not_pass_is_a_failure_with_its_reason(remote: Remote, odd: Respond, reason: str) -> None:
    remote.odd["new.atom"] = [odd]
    with pytest.raises(FeedError) as caught:
        await read(Lore(remote.url, replace(HASTY, answer_within=5.0 if odd is floods else 0.3), name="kvm"))
    assert reason in str(caught.value)
    assert str(caught.value).startswith("kvm: ")
    assert {request.host for request in remote.asked} == {remote.url.split("/")[2]}


async def test_a_move_on_the_same_server_is_followed(remote: Remote) -> None:
    remote.odd["kvm/new.atom"] = [says(302, Location="/list/new.atom")]
    remote.odd["list/new.atom"] = [good]
    remote.odd["x"] = []
    feed = Lore(remote.url, HASTY, name="kvm", backlog=1)
    assert (await read(feed))[0] == BOTH[1:]


async def test_a_server_that_wants_a_long_rest_gets_it(remote: Remote) -> None:
    remote.odd["new.atom"] = [says(429, Retry_After="3600")]
    feed = remote.feed()
    with pytest.raises(FeedError, match=r"429 Too Many Requests and to come back in 3600 seconds"):
        await read(feed)
    assert len(remote.asked) == 1
    with pytest.raises(FeedError, match=r"asked again in 3\d\d\d seconds"):
        await read(feed)
    assert len(remote.asked) == 1


async def test_a_mail_that_floods_is_set_aside_and_the_others_come(remote: Remote) -> None:
    remote.odd["1@example.org/raw"] = [floods]
    subjects, position = await read(remote.feed())
    assert subjects == [f"[more than the {LIMIT} bytes that a mail may have]", "2@example.org"]
    assert (await read(remote.feed(), position))[0] == []


async def test_a_mail_that_is_listed_and_not_there_yet_is_looked_for_again(remote: Remote) -> None:
    there = says(200, "From mboxrd@z Thu Jan  1 00:00:00 1970\nSubject: 1@example.org\n\nhello\n\n")
    remote.odd["1@example.org/raw"] = [says(404), there]
    feed = remote.feed()
    subjects, position = await read(feed)
    assert subjects == ["2@example.org"]
    subjects, position = await read(feed, position)
    assert subjects == ["1@example.org"]
    assert (await read(feed, position))[0] == []


async def test_a_mail_that_was_taken_away_since_is_passed_over(remote: Remote) -> None:
    remote.odd["1@example.org/raw"] = [says(404)]
    feed = remote.feed()
    subjects, position = await read(feed)
    assert subjects == ["2@example.org"]
    for _ in range(4):
        assert (await read(feed, position))[0] == []
    subjects, position = await read(feed, position)
    assert subjects == ["[it was taken out of the archive since it was listed]"]
    assert (await read(feed, position))[0] == []


async def test_a_server_that_ignores_the_page_that_is_asked_for_comes_to_an_end(remote: Remote) -> None:
    remote.odd["new.atom"] = [says(200, atom(entry(2), entry(1)), "application/atom+xml")]
    subjects, _ = await read(remote.feed())
    assert subjects == ["[it turns no pages, and only its newest mails can be seen]", *BOTH]


async def test_entries_that_name_no_mail_are_said_and_hide_no_other(remote: Remote) -> None:
    bad = [
        '<entry><link href="http://h/kvm/../"/><updated>2026-04-20T12:00:00Z</updated></entry>',
        '<entry><link href="http://h/kvm/a@b/"/><updated>yesterday</updated></entry>',
        "<entry/>",
    ]
    remote.odd["new.atom"] = [says(200, atom(*bad, entry(1)), "application/atom+xml"), says(404)]
    subjects, _ = await read(remote.feed())
    assert subjects == ["[3 entries name no mail]", "1@example.org"]


async def test_a_thread_that_unpacks_without_end_is_cut(remote: Remote) -> None:
    async def bomb(_request: web.Request) -> web.Response:
        text = b"From mboxrd@z Thu Jan  1 00:00:00 1970\nSubject: x\n\n" + b"\0" * (256 << 20)
        return web.Response(body=gzip.compress(text, 9, mtime=0), content_type="application/gzip")

    remote.odd["t.mbox.gz"] = [bomb]
    found = await Threads([remote.url], HASTY).fetch("a@example.org")
    assert [type(item) for item in found] == [Unreadable]


@pytest.mark.parametrize(
    "body", [b"", b"no gzip", gzip.compress(b"From mboxrd@z Thu Jan  1 00:00:00 1970\nA: b\n", mtime=0)[:-9]]
)
async def test_a_thread_that_comes_damaged_is_a_failure(remote: Remote, body: bytes) -> None:
    async def damaged(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/gzip")

    remote.odd["t.mbox.gz"] = [damaged]
    with pytest.raises(FeedError, match="the thread came damaged"):
        await Threads([remote.url], HASTY).fetch("a@example.org")


def test_both_forms_of_retry_after_are_read() -> None:
    now = datetime(2026, 4, 20, tzinfo=UTC)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    read = [retry_after(value, now) for value in ("7", later, "", "soon", "-5", "9" * 30)]
    assert read == [7.0, 90.0, 0.0, 0.0, 0.0, 21600.0]


async def test_a_name_that_leads_inside_is_not_followed_there(remote: Remote) -> None:
    name = socket.gethostname()
    try:
        await lookup(name, 80)
    except InsideError:
        pass
    except OSError:
        pytest.skip("this machine does not know its own name")
    for feed in (
        Lore(remote.url.replace("127.0.0.1", name), HASTY, name="kvm"),
        Nntp(f"nntp://{name}:{remote.url.split('/')[2].split(':')[1]}/org.example.kvm", name="kvm"),
    ):
        with pytest.raises(
            FeedError, match=r"kvm: .*leads to \S+, which is not public; to read from there, name the address"
        ):
            await read(feed)
    assert remote.asked == []


def test_an_operator_may_name_a_machine_inside() -> None:
    named = ["localhost", "127.0.0.1", "10.1.2.3", "[::1]", "192.168.0.1", "169.254.1.1"]
    assert [is_inside(host) for host in named] == [True] * 6
    assert [is_inside(host) for host in ("lore.kernel.org", "1.1.1.1", "localhost.example.org")] == [False] * 3


@asynccontextmanager
async def news(script: bytes) -> AsyncIterator[Nntp]:
    """A news server that says this, whatever it is asked, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(script)
        await writer.drain()
        if script.endswith(b"..."):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Nntp(f"nntp://127.0.0.1:{port}/org.example.kvm", name="kvm", limit=LIMIT, within=1.0)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (b"", "it hung up in the middle of an answer"),
        (b"400 full\r\n", "no open news server: '400 full'"),
        (b"<html>" * 1000, "it answers with an endless line"),
        (b"200 hi\r\n480 who are you\r\n", "the server has no group 'org.example.kvm': '480 who are you'"),
        (b"200 hi\r\n211 1 1 1 x\r\n220 1 <a@b>\r\nSubject: x\r\n", "cannot be read"),
        (b"200 hi\r\n211 1 1 1 x\r\n502 no\r\n", "article 1 is refused: '502 no'"),
        (b"200 hi...", "no whole answer within 1 seconds"),
    ],
)
async def test_a_news_server_that_fails_is_a_failure_with_its_reason(script: bytes, reason: str) -> None:
    async with news(script) as feed:
        with pytest.raises(FeedError) as caught:
            await read(feed)
    assert reason in str(caught.value)
    assert str(caught.value).startswith("kvm: ")


async def test_an_article_that_is_listed_and_empty_is_looked_at_again_before_it_is_passed_over() -> None:
    async with news(b"200 hi\r\n211 1 1 1 x\r\n220 1 <a@b>\r\n.\r\n") as feed:
        for _ in range(5):
            assert await read(feed) == ([], "")
        assert await read(feed) == (["[the server has nothing in it]"], "1")


@pytest.mark.parametrize(
    "url", ["nntp://", "nntp://h", "nntp://h/a b", "nntp://h/a%0d%0aQUIT", "http://h/a", "nntp://h/a/b"]
)
def test_a_newsgroup_is_checked_before_anyone_is_asked(url: str) -> None:
    with pytest.raises(FeedError, match="is no newsgroup"):
        Nntp(url)
