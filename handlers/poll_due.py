"""A feed's turn has come: take its new mail and save it together with the cursor that covers it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeAlias

from bot.model import RawMail, Unreadable
from bot.ports import Clock, Feed, FeedError, Store, StoreAwayError
from handlers.mail_arrived import Arrival, Letter, mail_arrived, opened

BATCH_MAILS = 200
BATCH_BYTES = 8 << 20  # a batch is held in memory, and its transaction holds the database

Item: TypeAlias = RawMail | Unreadable
Opened: TypeAlias = Letter | Unreadable
Opening: TypeAlias = Callable[[Sequence[Item]], Awaitable[Sequence[Opened]]]


def open_all(items: Sequence[Item]) -> list[Opened]:
    """Read a batch of mail.  Pure and CPU-bound."""
    return [item if isinstance(item, Unreadable) else opened(item) for item in items]


async def in_thread(items: Sequence[Item]) -> Sequence[Opened]:
    return await asyncio.to_thread(open_all, items)


async def poll_due(
    feed: Feed,
    store: Store,
    clock: Clock,
    patience: timedelta,
    *,
    limit: int = 0,
    told: Callable[[Counter[Arrival]], None] = lambda _counts: None,
    going_on: Callable[[], bool] = lambda: True,
    opening: Opening = in_thread,
    ahead: int = 0,
) -> None:
    """Take every new mail of a feed (at most ``limit`` when that is not 0); ``told`` hears what became of each batch.

    While a batch is saved, ``ahead`` further ones are read and opened.  Raises FeedError once everything that came
    before the failure is saved.
    """
    async with store.transaction() as transaction:
        position = await transaction.cursor(feed.name)
    coming: deque[tuple[list[Item], asyncio.Future[Sequence[Opened]]]] = deque()

    async def save(most_waiting: int) -> None:
        while len(coming) > most_waiting:
            batch, letters = coming.popleft()
            told(await _taken(feed.name, batch, await letters, store, clock, patience))

    items = feed.since(position)
    try:
        try:
            async for batch in _batches(items, limit, going_on):
                coming.append((batch, asyncio.ensure_future(opening(batch))))
                await save(ahead)
        finally:
            if isinstance(items, AsyncGenerator):
                await items.aclose()
        await save(0)
    except FeedError:
        await save(0)
        raise
    finally:
        for _, letters in coming:
            letters.cancel()


async def _batches(
    items: AsyncIterator[Item], limit: int, going_on: Callable[[], bool]
) -> AsyncGenerator[list[Item], None]:
    """The items in batches.  Raises FeedError after the last of them."""
    batch: list[Item] = []
    taken = size = 0
    try:
        async for item in items:
            batch.append(item)
            taken += 1
            size += len(item.data) if isinstance(item, RawMail) else 0
            if len(batch) >= BATCH_MAILS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
            if taken == limit or not going_on():
                break
    except FeedError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


async def _taken(
    feed: str, batch: Sequence[Item], letters: Sequence[Opened], store: Store, clock: Clock, patience: timedelta
) -> Counter[Arrival]:
    """Save a batch of mail: all of it in one transaction with the cursor, so that a crash repeats or loses nothing."""
    try:
        return await _saved(feed, letters, batch, store, clock, patience)
    except StoreAwayError:
        raise
    except Exception as fault:  # noqa: BLE001  raised again below when it is the store's
        if len(batch) == 1:
            return await _set_aside(feed, batch[0], fault, store)
    # One of them cannot be saved.  Alone, each gets its chance, and only the culprit is set aside.
    counts: Counter[Arrival] = Counter()
    for item, letter in zip(batch, letters, strict=True):
        counts += await _taken(feed, [item], [letter], store, clock, patience)
    return counts


async def _saved(
    feed: str,
    letters: Sequence[Opened],
    batch: Sequence[Item],
    store: Store,
    clock: Clock,
    patience: timedelta,
) -> Counter[Arrival]:
    counts: Counter[Arrival] = Counter()
    async with store.transaction() as transaction:
        await transaction.foresee([letter.message for letter in letters if isinstance(letter, Letter)])
        for letter in letters:
            counts[await mail_arrived(transaction, letter, feed, clock.now(), patience)] += 1
        position = _last_position(batch)
        if position:
            await transaction.set_cursor(feed, position)
    return counts


async def _set_aside(feed: str, item: Item, fault: Exception, store: Store) -> Counter[Arrival]:
    """Keep the reason why a mail could not be saved.  When even that fails it is the store's fault, and is raised."""
    source = item.source if isinstance(item, Unreadable) else f"{item.feed} {item.position}"
    reason = f"saving it failed: {type(fault).__name__}: {fault}"
    async with store.transaction() as transaction:
        await transaction.add_unreadable(Unreadable(source, reason, "please report it as a bug, with the mail"), feed)
        if item.position:
            await transaction.set_cursor(feed, item.position)
    return Counter({Arrival.UNREADABLE: 1})


def _last_position(batch: Sequence[Item]) -> str:
    return next((item.position for item in reversed(batch) if item.position), "")
