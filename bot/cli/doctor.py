"""gracewatch doctor: tries settings, database, feeds, tree and chats, and says what is wrong and the cure."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path

from bot.app import chats, source
from bot.chats.matrix import Matrix
from bot.chats.slack import Slack
from bot.model import Unreadable, Wanted
from bot.ports import ChatError, FeedError, StoreError, TreeError
from bot.report.text import harmless, one_line
from bot.store import SqlStore
from bot.trees.detect import tree_for
from config.settings import Feed, Settings, SettingsError, load

WELL, CANNOT = 0, 2
_PATIENCE = 30.0
Trial = Callable[[Settings], Awaitable[str]]


def run(config: Path | None) -> int:
    """Print a line for each part and return the exit code: 0 when all is well, 2 when something is not."""
    try:
        settings = load(config)
    except SettingsError as fault:
        return _say("settings", str(fault), well=False)
    _say("settings", str(config or "the defaults and the environment"), well=True)
    return asyncio.run(_try_all(settings))


async def _try_all(settings: Settings) -> int:
    worst = WELL
    async for part, said, well in _trials(settings):
        worst = max(worst, _say(part, said, well=well))
    return worst


def _say(part: str, said: str, *, well: bool) -> int:
    mark = "ok   " if well else "WRONG"
    for line in said.splitlines() or [""]:
        print(f"{mark}  {part:<16} {harmless(one_line(line, 400))}", file=sys.stdout)
    return WELL if well else CANNOT


async def _trials(settings: Settings) -> AsyncIterator[tuple[str, str, bool]]:
    parts: list[tuple[str, Trial]] = [("database", _database), ("tree", _tree)]
    parts += [(f"feed {feed.name}", _feed_trial(feed)) for feed in settings.feeds]
    parts.append(("slack", _slack))
    parts.append(("matrix", _matrix))
    for part, trial in parts:
        try:
            yield part, await asyncio.wait_for(trial(settings), _PATIENCE), True
        except TimeoutError:
            yield part, f"no answer within {_PATIENCE:g} seconds; check the disk and the network", False
        except (StoreError, TreeError, FeedError, ChatError) as fault:
            yield part, str(fault), False


async def _database(settings: Settings) -> str:
    """An old schema is no fault: the service brings it up to date.  Nothing is made that is not there yet."""
    store = SqlStore(settings.store_url)
    try:
        if not settings.store.url and not (settings.state.folder / "gracewatch.db").exists():
            return f"{store.name}: will be made at the first start{_writable(settings.state.folder)}"
        await store.upgrade()
        await store.ping()
        async with store.transaction() as transaction:
            counts = await transaction.counts()
        return f"{store.name}: {counts['messages']:,} messages, {counts['series']:,} series"
    finally:
        await store.close()


def _writable(folder: Path) -> str:
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(nearest, os.W_OK):
        raise StoreError(f"{nearest}: may not be written; make it writable for this user, or set state.folder")
    return ""


async def _tree(settings: Settings) -> str:
    tree = await asyncio.to_thread(tree_for, settings.tree.path, settings.tree.rev)
    if not tree.name:
        return "none: reviews see the patch's own lines only (set tree.path for more)"
    answer = await tree.answer(Wanted(files=(("include/linux/kvm_host.h", ""),)))
    if answer.texts.get("include/linux/kvm_host.h") is None:
        raise TreeError(f"tree {settings.tree.path}: has no include/linux/kvm_host.h; name a Linux source tree")
    return tree.name


def _feed_trial(feed: Feed) -> Trial:
    async def trial(settings: Settings) -> str:
        # One mail is enough to see; of a list on the network more would be asked for than is looked at.
        one = feed.model_copy(update={"backlog": 1})
        items = (await asyncio.to_thread(source, settings, one, keep=False)).since("")
        try:
            first = await anext(items, None)
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()
        if first is None:
            raise FeedError(f"{feed.place}: holds no mail; check the path and the kind")
        odd = f"; its first mail is unreadable: {first.reason}" if isinstance(first, Unreadable) else ""
        return f"{feed.place} can be read{odd}"

    return trial


async def _slack(settings: Settings) -> str:
    slack = next((chat for chat, _ in chats(settings, sys.stdout) if isinstance(chat, Slack)), None)
    if slack is None:
        return "off: set SLACK_BOT_TOKEN and SLACK_APP_TOKEN to post there"
    return f"{await slack.trial()}, posting in {settings.slack.channel}"


async def _matrix(settings: Settings) -> str:
    matrix = next((chat for chat, _ in chats(settings, sys.stdout) if isinstance(chat, Matrix)), None)
    if matrix is None:
        return "off: set MATRIX_ACCESS_TOKEN to post there"
    return f"{await matrix.trial()}, posting in {settings.matrix.channel}"
