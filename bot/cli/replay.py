"""gracewatch replay: runs an archive through the service's own path and says what it would have said."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bot.cli.progress import Progress, progress
from bot.cli.replay_feed import Numbered, Since, taken
from bot.cli.replay_state import State, kept
from bot.cli.showing import show
from bot.cli.sitting import MOST_UNREADABLE, PATIENCE, LeapingClock, unreadable_line
from bot.cli.trees import tree_at
from bot.exports.json import entry, written
from bot.feeds.detect import Web, feed_named
from bot.health import Figures
from bot.model import Review, Scan, Series
from bot.opener import Opener
from bot.ports import Feed, Tree
from bot.report import summary
from bot.report.text import harmless, one_line
from bot.reviewer import Reviewers
from bot.store import SqlStore
from config.known import known_functions
from handlers.mail_arrived import Arrival
from handlers.poll_due import poll_due
from handlers.series_settled import series_settled

INTERRUPTED = 130  # as a shell says it of Ctrl-C
_CORES = len(os.sched_getaffinity(0))
_PAGE = 20
_MOST_UNREADABLE_SHOWN = 20


def run(
    place: str,
    tree: str,
    rev: str,
    since: datetime | None,
    limit: int,
    web: Callable[[], Web],
    *,
    as_json: bool,
    anew: bool,
) -> None:
    """Replay a feed and print what was found.  Raises FeedError, TreeError or StoreError.

    ``web`` is asked for only when the place is on the network.  What a replay of a file or folder did before it was
    interrupted is not done again, unless it is to begin ``anew``.
    """
    feed: Feed = feed_named(place, web)
    if since is not None:
        feed = Since(feed, since)
    source = tree_at(tree, rev)
    local = Path(place).expanduser()
    question = (str(local.resolve()), source.name, rev, str(since), str(limit))
    with kept(question, anew=anew, resumable=local.exists()) as state:
        try:
            asyncio.run(Replay(Numbered(feed), source, state, limit).run(as_json=as_json))
        except KeyboardInterrupt:
            cure = "the same command goes on from here" if state.resumable else "nothing of it is kept"
            print(f"gracewatch: interrupted; {cure}", file=sys.stderr)
            raise SystemExit(INTERRUPTED) from None
        state.done()


class Replay:
    """One replay: all mail is taken, each series is reviewed as it then stands, and what was found is printed.

    A part that comes late is so never a reason to review a series again, and neither the moment nor the number of
    interruptions changes what is found.
    """

    def __init__(self, feed: Feed, tree: Tree, state: State, limit: int = 0) -> None:
        self._feed = feed
        self._tree = tree
        self._state = state
        self._limit = limit
        self._store = SqlStore(f"sqlite:///{state.file}", lasting=False)
        self._clock = LeapingClock()

    async def run(self, *, as_json: bool) -> None:
        begun = time.monotonic()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._store.close)
            await self._store.upgrade()
            before = await self._taken()
            if before:
                print(f"gracewatch: going on behind {before:,} mails; --anew begins again", file=sys.stderr)
            with progress() as shown:
                await self._read(shown, before)
                await self._review(shown)
            scan = await self._scan()
            rate = (scan.messages - before) / (time.monotonic() - begun)
            if as_json:
                await self._print_json(scan)
                print(f"{scan.messages} messages, {rate:,.0f} messages/s", file=sys.stderr)
            else:
                await self._print(scan, rate)

    async def _taken(self) -> int:
        async with self._store.transaction() as transaction:
            return taken(await transaction.cursor(self._feed.name))

    async def _read(self, shown: Progress, before: int) -> None:
        async with self._store.transaction() as transaction:
            position = await transaction.cursor(self._feed.name)
        left = await self._feed.count(position) if shown.seen else None
        total = None if left is None else min(before + left, self._limit or before + left)
        stage = shown.stage("mails", total, before)
        if self._limit and before >= self._limit:
            return

        def told(counts: Counter[Arrival]) -> None:
            stage.advance(counts.total())

        with Opener(_CORES) as opener:
            await poll_due(
                self._feed,
                self._store,
                self._clock,
                PATIENCE,
                limit=max(self._limit - before, 0),
                told=told,
                opening=opener,
                ahead=_CORES + 1,
            )

    async def _review(self, shown: Progress) -> None:
        async with self._store.transaction() as transaction:
            counts = await transaction.counts()
        stage = shown.stage("series", counts["series"], counts["reviewed"])
        review = Reviewers(self._tree, known_functions(), _CORES)

        async def judge(series: Series) -> Review:
            found = await review(series)
            stage.advance(1)
            return found

        self._clock.leap()
        try:
            await series_settled(self._store, self._clock, judge, None, Figures(), at_once=4 * _CORES)
        finally:
            review.close()

    async def _scan(self) -> Scan:
        async with self._store.transaction() as transaction:
            scan = await transaction.scan()
            unreadable = await transaction.unreadable(MOST_UNREADABLE)
        every = tuple(one for one, times in reversed(unreadable) for _ in range(times))
        return replace(scan, messages=await self._taken(), unreadable=every)

    async def _print_json(self, scan: Scan) -> None:
        print(written(scan, [entry(*one) async for one in self._reviewed(faulty=False)]))

    async def _print(self, scan: Scan, rate: float) -> None:
        async for series, found in self._reviewed(faulty=True):
            show(*summary.of_series(series, found))
        for one in scan.unreadable[:_MOST_UNREADABLE_SHOWN]:
            print(harmless(one_line(f"unreadable: {unreadable_line(one)}", 400)), file=sys.stderr)
        async with self._store.transaction() as transaction:
            by_rule = await transaction.findings_by_rule()
        show(summary.closing(scan, by_rule, rate))

    async def _reviewed(self, *, faulty: bool) -> AsyncIterator[tuple[Series, Review]]:
        last = ""
        while True:
            async with self._store.transaction() as transaction:
                page = await transaction.reviewed(last, _PAGE, faulty=faulty)
            for one in page:
                yield one
            if not page:
                return
            last = page[-1][0].key
