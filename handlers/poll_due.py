"""A feed's turn has come: take its new mail and save it together with the cursor that covers it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import timedelta

from bot.model import RawMail, Unreadable
from bot.ports import Clock, Feed, FeedError, Store
from handlers.mail_arrived import Arrival, Letter, mail_arrived, opened

BATCH_MAILS = 200
BATCH_BYTES = 8 << 20  # a batch is held in memory, and its transaction holds the database

Item = RawMail | Unreadable


async def poll_due(
    feed: Feed,
    store: Store,
    clock: Clock,
    patience: timedelta,
    *,
    limit: int = 0,
    told: Callable[[Counter[Arrival]], None] = lambda _counts: None,
    going_on: Callable[[], bool] = lambda: True,
) -> None:
    """Take every new mail of a feed (at most ``limit`` when that is not 0); ``told`` hears what became of each batch.

    Raises FeedError once everything that came before the failure is saved.
    """
    async with store.transaction() as transaction:
        position = await transaction.cursor(feed.name)
    batch: list[Item] = []
    taken = 0

    async def save() -> None:
        nonlocal batch
        mails, batch = batch, []
        told(await take(feed.name, mails, store, clock, patience))

    items = feed.since(position)
    try:
        async for item in items:
            batch.append(item)
            taken += 1
            if _full(batch):
                await save()
            if taken == limit or not going_on():
                break
    except FeedError:
        await save()
        raise
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
    await save()


def _full(batch: Sequence[Item]) -> bool:
    size = sum(len(item.data) for item in batch if isinstance(item, RawMail))
    return len(batch) >= BATCH_MAILS or size >= BATCH_BYTES


async def take(feed: str, batch: Sequence[Item], store: Store, clock: Clock, patience: timedelta) -> Counter[Arrival]:
    """Save a batch of mail: all of it in one transaction with the cursor, so that a crash repeats or loses nothing."""
    if not batch:
        return Counter()
    letters = await asyncio.to_thread(lambda: [_opened(item) for item in batch])
    try:
        return await _saved(feed, letters, batch, store, clock, patience)
    except Exception as fault:  # noqa: BLE001  raised again below when it is the store's
        if len(batch) == 1:
            return await _set_aside(feed, batch[0], fault, store)
    # One of them cannot be saved.  Alone, each gets its chance, and only the culprit is set aside.
    counts: Counter[Arrival] = Counter()
    for item in batch:
        counts += await take(feed, [item], store, clock, patience)
    return counts


def _opened(item: Item) -> Letter | Unreadable:
    return item if isinstance(item, Unreadable) else opened(item)


async def _saved(
    feed: str,
    letters: Sequence[Letter | Unreadable],
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
