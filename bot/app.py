"""The roof: builds everything from the settings, runs it, and stops it; the only place that sees every room.

A new kind of feed or tree is a line in bot/feeds/detect.py or bot/trees/detect.py, a new chat is a line in ``chats``.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any, TextIO, TypeAlias

import structlog

from bot.catalog import rules
from bot.chats.console import Console
from bot.chats.matrix import Matrix
from bot.chats.slack import Http, Slack, Socket
from bot.clock import WallClock
from bot.feeds.detect import Web, feed_at, feed_for
from bot.feeds.mirror import list_of
from bot.feeds.threads import Threads
from bot.feeds.visitor import Manners
from bot.health import Figures, Health
from bot.lease import Lease, Memory
from bot.model import Ask, Brought, Page, Reply
from bot.opener import Opener
from bot.ports import Chat, ChatError, Clock, FeedError, StoreAwayError, StoreError
from bot.ports import Feed as Source
from bot.report.bar import Bar
from bot.reviewer import Reviewer
from bot.store import SqlStore
from bot.trees.detect import tree_for
from bot.trees.index import Index
from config.known import known_functions
from config.settings import Feed, Settings
from config.settings import Slack as SlackSettings
from handlers.asked import asked
from handlers.delivery_due import delivery_due, interrupted
from handlers.digest_due import digest_due
from handlers.doors import Doors
from handlers.feed_read import Heard, feed_read
from handlers.feed_shared import ours_to_read
from handlers.link_shared import link_shared
from handlers.mail_arrived import Arrival
from handlers.policy import Maintainers, Place, Policy
from handlers.poll_due import poll_due
from handlers.previewed import Said, UnknownChannelError, previewed
from handlers.series_settled import series_settled
from handlers.thread_stirred import thread_stirred

MakesClock: TypeAlias = Callable[[Callable[[str], None]], Clock]
LOG = structlog.get_logger("gracewatch")
_LOOK = timedelta(seconds=1)  # how often settled series and due pages are looked for
_MINUTE = timedelta(minutes=1)
_DRAIN_SECONDS = 7.0  # of the ten in which SIGTERM ends everything
_REJOIN_SECONDS = 2.0
_REPAIR_SECONDS = 60.0  # how often a chat that does not let us in is tried again


def chats(settings: Settings, out: TextIO) -> tuple[tuple[Chat, str], ...]:
    """Every chat that is on, with the channel that is told there."""
    found: list[tuple[Chat, str]] = []
    if settings.console.enabled:
        found.append((Console(out), "console"))
    slack = settings.slack
    if slack.bot_token and (connection := _connection(slack)):
        token = slack.bot_token.get_secret_value()
        named = tuple(name for name in (slack.channel, settings.operators.channel) if name)
        found.append((Slack(token, connection, channels=named, api_url=slack.api_url), slack.channel))
    matrix = settings.matrix
    if matrix.access_token:
        token = matrix.access_token.get_secret_value()
        found.append((Matrix(matrix.homeserver, token, channels=(matrix.channel,)), matrix.channel))
    return tuple(found)


def _connection(slack: SlackSettings) -> Socket | Http | None:
    """How Slack reaches us, None when it cannot."""
    if slack.mode == "http" and slack.signing_secret:
        return Http(slack.signing_secret.get_secret_value(), slack.http_host, slack.http_port)
    if slack.mode == "socket" and slack.app_token:
        return Socket(slack.app_token.get_secret_value())
    return None


def source(settings: Settings, feed: Feed, *, keep: bool = True) -> Source:
    """The feed that a setting names.  Raises FeedError; blocks, as looking at a path does.

    What it mirrors is kept in the state folder, or else for one reading.
    """
    if feed.url:
        manners, mirrors = Manners(settings.archive.contact), settings.state.folder / "mirrors"
        return feed_at(
            feed.url, manners, name=feed.name, kind=feed.kind, backlog=feed.backlog, mirrors=mirrors if keep else None
        )
    return feed_for(feed.place, feed.name, feed.kind)


def archive(settings: Settings) -> Threads:
    """Where threads are fetched from: the lists that are followed on the web, and then the archive of the settings."""
    followed = [list_of(feed.url)[0] for feed in settings.feeds if feed.on_the_web]
    return Threads([url for url in (*followed, settings.archive.url) if url], Manners(settings.archive.contact))


def web(settings: Settings) -> Web:
    """What may be read over the network: the servers that the settings name."""
    homes = [url for url in (*(list_of(feed.url)[0] for feed in settings.feeds), settings.archive.url) if url]
    return Web(homes, Manners(settings.archive.contact))


def places(settings: Settings) -> tuple[Place, ...]:
    """Every channel that is told when its chat is on, and what it wants to hear of."""
    bar = Bar(settings.review.level, settings.review.confidence)
    named = (("console", "console"), ("slack", settings.slack.channel), ("matrix", settings.matrix.channel))
    return tuple(Place(chat, channel, bar) for chat, channel in named if channel)


def operators(settings: Settings, told: Sequence[Chat]) -> tuple[Place, ...]:
    """Where operators are told how feeds do: their channel in every chat that is on."""
    channel = settings.operators.channel
    return tuple(Place(chat.name, channel) for chat in told) if channel else ()


def place_called(settings: Settings, channel: str) -> Place:
    """The place of a channel, with or without its ``#``.  Raises UnknownChannelError."""
    known = places(settings)
    for place in known:
        if place.channel.lstrip("#") == channel.lstrip("#"):
            return place
    names = ", ".join(place.channel for place in known)
    raise UnknownChannelError(f"{channel[:80]!r}: no such channel in the settings; there are {names}")


class App:
    """The service.  Raises TreeError or StoreError when it cannot be built from these settings.

    ``clock`` makes the clock of each life, and is given what is told the names of jobs that fail.
    """

    def __init__(self, settings: Settings, out: TextIO = sys.stdout, clock: MakesClock = WallClock) -> None:
        self.settings = settings
        self._clock = clock
        bar = Bar(settings.review.level, settings.review.confidence)
        told = chats(settings, out)
        self.chats = {chat.name: chat for chat, _ in told}
        self.policy = Policy(
            tuple(Place(chat.name, channel, bar) for chat, channel in told),
            bar,
            frozenset(settings.review.pinned),
            tuple(Maintainers(one.channel, one.people, one.groups) for one in settings.maintainers),
            private=frozenset(chat.name for chat, _ in told if chat.private),
            operators=operators(settings, [chat for chat, _ in told]),
            patience=settings.operators.patience,
        )
        self.store = SqlStore(settings.store_url, lease=settings.store.lease)
        index = Index(settings.index_folder, settings.tree.index_bytes)
        self.review = Reviewer(tree_for(settings.tree.path, settings.tree.rev, index), known_functions())
        self.opener = Opener(1)
        self.archive = archive(settings)
        self._remote: dict[str, Source] = {}
        self.figures = Figures()
        self.health = Health(self.store, [chat for chat, _ in told], self.figures, settings.mail.patience)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End ``run``."""
        self._stop.set()

    async def run(self) -> None:
        """Work until ``stop``.  Raises StoreError or HealthError when it cannot start."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            stack.callback(self.review.close)
            stack.callback(self.opener.close)
            await self.store.upgrade()
            stack.push_async_callback(self.health.stop)
            await self._greet()
            listening = [asyncio.create_task(self._listen(chat)) for chat in self.chats.values()]
            stack.push_async_callback(_cancel, listening)
            memory = Memory(self.settings.state.folder)
            stack.callback(memory.close)
            await self._live(memory)
            while not self._stop.is_set():
                try:
                    await self._live(memory)
                except StoreError as fault:
                    self.health.note("lease", str(fault))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), _REJOIN_SECONDS)
        LOG.info("stopped")

    async def _live(self, memory: Memory) -> None:
        """One life of a replica: until ``stop``, or until its lease is lost and others may do what it did.

        Raises StoreError when it cannot begin.
        """
        lease = Lease(self.store, self.settings.store.lease, memory)
        LOG.info("replica joined", replica=await lease.begin(), lease=str(self.settings.store.lease))
        self.health.note("lease", "")
        clock = self._clock(lambda job: self.figures.count("jobs_failed", job=job))
        stop, lost = asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(lease.lost())
        try:
            self._begin(clock)
            await asyncio.wait({stop, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reason = lost.result() if lost.done() else ""
            if reason:
                self.health.note("lease", reason)
                LOG.warning("lease lost", reason=reason, cure="this replica begins anew by itself")
            else:
                LOG.info("stopping")
            await self._drain(clock, 0 if reason else _DRAIN_SECONDS)
            await _cancel([stop, lost])
        if not reason:
            await lease.end()

    async def _greet(self) -> None:
        health = self.settings.health
        address = await self.health.start(health.host, health.port) if health.enabled else "off"
        facts = {label.replace(" ", "_"): value for label, value in self.about()}
        LOG.info("watching", **facts, health=address, store=self.store.name)
        async with self.store.transaction() as transaction:
            known = await transaction.counts()
        if self.settings.demo and known["reviewed"]:
            # Without a word, a second start of the example would look like one that does not work.
            cure = f"to see it again, stop, remove {self.settings.state.folder}/ and start"
            LOG.info("the example was told already", series=known["reviewed"], cure=cure)

    def _begin(self, clock: Clock) -> None:
        """Put the jobs on the clock: a poll for each feed, the reviews, the outbox."""

        def going_on() -> bool:
            return not self._stop.is_set()

        def every(interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
            clock.every(interval, name, lambda: self._put_off(name, job))

        async def settled() -> None:
            await series_settled(self.store, clock, self.review, self.policy, self.figures, going_on)

        async def stirred() -> None:
            await thread_stirred(self.store, clock, self.policy, going_on)

        async def digest() -> None:
            await digest_due(self.store, clock, self.policy)

        async def bury() -> None:
            await interrupted(self.store)

        async def deliver() -> None:
            await delivery_due(self.store, clock, self.chats, self.figures, going_on)

        def poller(feed: Feed) -> None:
            async def poll() -> None:
                await self._poll(feed, clock)

            every(self.settings.mail.poll, f"poll {feed.name}", poll)

        every(self.settings.store.lease / 3, "replicas", bury)
        for feed in self.settings.feeds:
            poller(feed)
        every(_LOOK, "review", settled)
        every(_LOOK, "stirred", stirred)
        every(_MINUTE, "digest", digest)
        every(_LOOK, "deliver", deliver)

    async def _put_off(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run a job.  While nothing can be saved it has no effect: that is told once, and it comes round again."""
        part = f"job {name}"
        try:
            await job()
        except StoreAwayError as fault:
            self.figures.count("jobs_failed", job=name)
            if self.health.note(part, str(fault)):
                LOG.warning("job put off", job=name, reason=str(fault), cure="nothing is lost; it is tried again")
        else:
            if self.health.note(part, ""):
                LOG.info("job goes on", job=name)

    async def _poll(self, setting: Feed, clock: Clock) -> None:
        """Take a feed's new mail.  What is wrong with it is told to health and log, and holds up no other feed."""

        def told(counts: Counter[Arrival]) -> None:
            for outcome, number in counts.items():
                self.figures.count("mails", number, feed=setting.name, outcome=outcome.value)
            if total := counts.total():
                LOG.info("mail came", feed=setting.name, mails=total, **{str(k): v for k, v in counts.items()})

        if not await ours_to_read(self.store, setting.name, [feed.name for feed in self.settings.feeds]):
            self.health.note(f"feed {setting.name}", "")
            return
        failure, brought = "", Brought()
        try:
            heard = Heard(await self._source(setting), told)
            try:
                going_on = lambda: not self._stop.is_set()  # noqa: E731
                patience = self.settings.mail.patience
                await poll_due(
                    heard, self.store, clock, patience, told=heard.told, going_on=going_on, opening=self.opener
                )
            finally:
                brought = heard.brought()
            self.figures.gauge("feed_read_time_seconds", clock.now().timestamp(), feed=setting.name)
        except FeedError as fault:
            failure = str(fault)
            self.figures.count("polls_failed", feed=setting.name)
            LOG.warning("feed failed", feed=setting.name, reason=failure)
        self.health.note(f"feed {setting.name}", failure)
        await feed_read(self.store, clock, setting.name, brought, failure, self.policy, self.figures)

    async def _source(self, setting: Feed) -> Source:
        """A path is looked at anew each time: it may be mounted after the start.  A remote feed has a memory."""
        if setting.name in self._remote:
            return self._remote[setting.name]
        feed = await asyncio.to_thread(source, self.settings, setting)
        if setting.url:
            self._remote[setting.name] = feed
        return feed

    async def _listen(self, chat: Chat) -> None:
        async def answer(ask: Ask) -> Reply | None:
            return await asked(ask, self.doors())

        async def linked(address: str) -> Page | None:
            return await link_shared(address, self.store)

        while True:
            self.health.note(f"listening in {chat.name}", "")
            try:
                await chat.listen(answer, linked)
            except ChatError as fault:
                self.health.note(f"listening in {chat.name}", str(fault))
                LOG.error("a chat cannot be listened to", chat=chat.name, reason=str(fault))  # noqa: TRY400  it is said
            await asyncio.sleep(_REPAIR_SECONDS)

    def doors(self) -> Doors:
        feeds = frozenset(feed.name for feed in self.settings.feeds)
        return Doors(
            self.store,
            rules,
            self.review,
            self.about,
            self.archive,
            preview=self._preview,
            feeds=feeds,
            policy=self.policy,
            members=self._members,
        )

    async def _preview(self, place: Place, words: str, span: timedelta) -> tuple[Said, ...]:
        """What a channel would have been told in the last days."""
        now, pinned = datetime.now(UTC), self.policy.pinned
        scratch = SqlStore("sqlite://")
        try:
            await scratch.upgrade()
            return await previewed(self.store, scratch, self.review, place, now - span, now, pinned=pinned, words=words)
        finally:
            await scratch.close()

    async def _members(self, chat: str, group: str) -> frozenset[str]:
        return await self.chats[chat].members(group) if chat in self.chats else frozenset()

    def about(self) -> Sequence[tuple[str, str]]:
        """What runs here, for ``status`` and the log."""
        return (
            ("version", version("gracewatch")),
            ("feeds", ", ".join(feed.name for feed in self.settings.feeds) or "none"),
            ("tree", self.review.tree or "none: reviews see the patch's own lines only"),
            ("chats", ", ".join(f"{place.chat} {place.channel}" for place in self.policy.places) or "none"),
        )

    async def _drain(self, clock: Clock, seconds: float) -> None:
        drained = asyncio.ensure_future(clock.drain())
        await asyncio.wait({drained}, timeout=seconds)
        if not drained.done():
            LOG.warning("cut short", cure="what was cut is saved, and goes on at the next start")
            self.store.abandon()
        await _cancel([drained])


async def _cancel(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
