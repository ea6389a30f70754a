"""gracewatch replay: runs an archive through the service's own path and says what it would have said."""

from __future__ import annotations

import asyncio
import email.utils
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.cli.showing import show
from bot.cli.sitting import sitting, unreadable_line
from bot.exports.json import document
from bot.feeds.detect import Web, feed_named
from bot.model import RawMail, Unreadable
from bot.ports import Feed
from bot.report import summary
from bot.report.text import harmless, one_line
from bot.reviewer import Reviewer
from bot.trees.detect import tree_for
from config.known import known_functions
from handlers.mail_arrived import Arrival

_DATE = re.compile(rb"^Date:([^\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 1 << 18
_MOST_UNREADABLE_SHOWN = 20


class Since:
    """A feed without the mail that says it was sent before a day; mail without a date is kept."""

    def __init__(self, feed: Feed, since: datetime) -> None:
        self.name = feed.name
        self._feed = feed
        self._since = since if since.tzinfo else since.replace(tzinfo=UTC)

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:
        async for item in self._feed.since(position):
            if isinstance(item, Unreadable) or not self._too_old(item.data):
                yield item

    async def count(self, position: str) -> int | None:  # noqa: ARG002  not known without reading
        return None

    def _too_old(self, data: bytes) -> bool:
        found = _DATE.search(data[:_HEADER_BYTES].partition(b"\n\n")[0])
        if not found:
            return False
        try:
            sent = email.utils.parsedate_to_datetime(found[1].decode("ascii", "replace").strip())
        except ValueError:
            return False
        return (sent if sent.tzinfo else sent.replace(tzinfo=UTC)) < self._since


def run(
    place: str, tree: str, rev: str, since: datetime | None, limit: int, web: Callable[[], Web], *, as_json: bool
) -> None:
    """Replay a feed and print what was found.  Raises FeedError, TreeError or StoreError.

    ``web`` is asked for only when the place is on the network.
    """
    feed: Feed = feed_named(place, web)
    if since is not None:
        feed = Since(feed, since)
    asyncio.run(_run(feed, Reviewer(tree_for(tree, rev), known_functions()), limit, as_json=as_json))


async def _run(feed: Feed, review: Reviewer, limit: int, *, as_json: bool) -> None:
    begun = time.monotonic()
    terminal = Terminal(stderr=True)
    bar: Progress | None = _bar(terminal) if terminal.is_terminal else None
    shown: AbstractContextManager[object] = bar or nullcontext()
    count = await feed.count("") if bar else None
    total = min(count, limit) if count and limit else count
    try:
        with shown:
            task = bar.add_task("mails", total=total, rate="") if bar else None

            def told(counts: Counter[Arrival]) -> None:
                if bar is not None and task is not None:
                    bar.advance(task, counts.total())
                    done = bar.tasks[0].completed / max(time.monotonic() - begun, 0.001)
                    bar.update(task, rate=f"{done:,.0f}/s")

            async with sitting(review, told) as work:
                await work.read(feed, limit)
                scan = await work.scan()
    finally:
        review.close()
    seconds = time.monotonic() - begun
    if as_json:
        print(document(scan, work.judged.values()))
        print(f"{scan.messages} messages in {seconds:.1f} s, {scan.messages / seconds:.0f} messages/s", file=sys.stderr)
        return
    for series, found in work.judged.values():
        if found.findings:
            show(*summary.of_series(series, found))
    for one in scan.unreadable[:_MOST_UNREADABLE_SHOWN]:
        print(harmless(one_line(f"unreadable: {unreadable_line(one)}", 400)), file=sys.stderr)
    show(summary.closing(scan, work.by_rule(), seconds))


def _bar(terminal: Terminal) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=terminal,
        transient=True,
    )
