"""gracewatch preview: prints what a channel would have been told in the last days, and tells nobody."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from bot.app import place_called, source
from bot.cli.replay_feed import Since
from bot.cli.sitting import PATIENCE, LeapingClock
from bot.cli.trees import index_of
from bot.report.text import render
from bot.reviewer import Reviewer
from bot.store import SqlStore
from bot.trees.detect import tree_for
from config.known import known_functions
from config.settings import Settings
from handlers.policy import Place
from handlers.poll_due import poll_due
from handlers.previewed import Said, previewed

_HISTORY = timedelta(days=60)  # earlier versions of what is told are looked for so far back
_INDENT = "  │ "


def run(settings: Settings, channel: str, span: timedelta) -> None:
    """Print the pages, oldest first.  Raises UnknownChannelError, FeedError, TreeError or StoreError."""
    place = place_called(settings, channel)
    said = asyncio.run(_previewed(settings, place, span))
    width = min(shutil.get_terminal_size().columns, 120)
    encoding = sys.stdout.encoding or "utf-8"
    for line in _lines(said, place.channel, width):
        sys.stdout.write(f"{line}\n".encode(encoding, "replace").decode(encoding))
    cards = sum(one.card and not one.edit for one in said)
    edits = sum(one.edit for one in said)
    print(f"{place.channel} would have got {cards} cards, {edits} edits and {len(said) - cards - edits} replies")


async def _previewed(settings: Settings, place: Place, span: timedelta) -> tuple[Said, ...]:
    now = datetime.now(UTC)
    review = Reviewer(tree_for(settings.tree.path, settings.tree.rev, index_of(settings)), known_functions())
    async with AsyncExitStack() as stack:
        stack.callback(review.close)
        scratch, store = SqlStore("sqlite://"), await _kept(settings)
        stack.push_async_callback(scratch.close)
        await scratch.upgrade()
        if store is None:
            print("gracewatch: the store holds no mail yet, so the feeds are read", file=sys.stderr)
            store = SqlStore("sqlite://")
            stack.push_async_callback(store.close)
            await store.upgrade()
            await _read(settings, store, now - span - _HISTORY)
            now += 2 * PATIENCE  # nothing more will come
        else:
            stack.push_async_callback(store.close)
        return await previewed(store, scratch, review, place, datetime.now(UTC) - span, now)


async def _kept(settings: Settings) -> SqlStore | None:
    """The service's store, None when there is no mail in it."""
    if not settings.store.url and not (settings.state.folder / "gracewatch.db").exists():
        return None
    store = SqlStore(settings.store_url)
    try:
        await store.ping()
        async with store.transaction() as transaction:
            if (await transaction.counts())["messages"]:
                return store
    except BaseException:
        await store.close()
        raise
    await store.close()
    return None


async def _read(settings: Settings, store: SqlStore, since: datetime) -> None:
    clock = LeapingClock()
    for setting in settings.feeds:
        feed = await asyncio.to_thread(source, settings, setting, keep=False)
        await poll_due(Since(feed, since), store, clock, PATIENCE)


def _lines(said: tuple[Said, ...], channel: str, width: int) -> Iterator[str]:
    for one in said:
        kind = ("the card again, edited" if one.edit else "a card") if one.card else "edited" if one.edit else ""
        indent = "" if one.card else _INDENT
        if kind and not one.card:
            yield f"{indent}({kind})"
        elif kind:
            head = f"── {channel} · {one.at:%Y-%m-%d %H:%M} · {kind} "
            yield head + "─" * max(width - len(head), 0)
        for line in render(one.page, width - len(indent)).splitlines():
            yield f"{indent}{line}".rstrip()
        yield ""
