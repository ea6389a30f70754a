"""A feed was read, or could not be: keep how it does, and tell operators once when it is bad, once when it is over."""

from __future__ import annotations

import email.utils
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from bot.model import Brought, Delivery, FeedState, Note, Page, RawMail, Series, Trouble, Unreadable
from bot.ports import Clock, Feed, Meter, Store, Transaction
from bot.report.feed_health import after_gap, after_reading, begun, ended, troubles, usual_silence
from handlers.mail_arrived import Arrival
from handlers.policy import Policy

_DATE = re.compile(rb"^Date:([^\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 1 << 16
_MOST_DATES = 10_000


class Heard:
    """A feed whose mail is looked at in passing: ``brought`` says what one reading brought.

    What ``told`` hears of the fate of its mail goes on to whom it is made with.
    """

    def __init__(self, feed: Feed, told: Callable[[Counter[Arrival]], None] = lambda _counts: None) -> None:
        self.name = feed.name
        self._feed = feed
        self._on = told
        self._counts: Counter[Arrival] = Counter()
        self._dates: list[datetime] = []

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:
        async with aclosing(_ended(self._feed.since(position))) as items:
            async for item in items:
                if isinstance(item, RawMail) and len(self._dates) < _MOST_DATES and (date := sent_at(item.data)):
                    self._dates.append(date)
                yield item

    async def count(self, position: str) -> int | None:
        return await self._feed.count(position)

    def told(self, counts: Counter[Arrival]) -> None:
        """What became of some of its mail."""
        self._counts += counts
        self._on(counts)

    def brought(self) -> Brought:
        bad = self._counts[Arrival.UNREADABLE]
        return Brought(self._counts.total() - bad, self._counts[Arrival.KNOWN], bad, tuple(self._dates))


async def _ended(items: AsyncIterator[RawMail | Unreadable]) -> AsyncGenerator[RawMail | Unreadable, None]:
    """The items of a feed, which is told when nobody wants more of them."""
    try:
        async for item in items:
            yield item
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


def sent_at(data: bytes) -> datetime | None:
    """When a mail says that it was sent; a look at its header alone."""
    found = _DATE.search(data[:_HEADER_BYTES].partition(b"\n\n")[0])
    if not found:
        return None
    try:
        date = email.utils.parsedate_to_datetime(found[1].decode("ascii", "replace").strip())
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


async def feed_read(
    store: Store, clock: Clock, feed: str, brought: Brought, failure: str, policy: Policy, meter: Meter
) -> None:
    """Save what a reading changed, and queue what operators are to be told, in one transaction."""
    async with store.transaction() as transaction:
        before = await transaction.feed_state(feed)
        state = await _told(transaction, after_reading(before, brought, failure, clock.now()), policy, clock.now())
        if state != before:
            await transaction.save_feed_state(state)
    _show(state, meter)


async def parts_missing(transaction: Transaction, series: Series, policy: Policy, now: datetime) -> None:
    """Note on its feed that a series was reviewed without all its parts, in the caller's transaction."""
    mail = await transaction.raw_mail(series.message_ids[0]) if series.message_ids else None
    if mail is None:
        return
    state = after_gap(await transaction.feed_state(mail.feed), now)
    await transaction.save_feed_state(await _told(transaction, state, policy, now))


async def _told(transaction: Transaction, state: FeedState, policy: Policy, now: datetime) -> FeedState:
    """The state with the notes that hold now; those that begin or end go to the operators."""
    found = troubles(state, now, policy.patience)
    notes: list[Note] = []
    for note in state.notes:
        if note.trouble in found:
            notes.append(note)
        else:
            await _say(
                transaction, state.feed, note, ended(state.feed, note.trouble, note.since, now), policy, end=True
            )
    for trouble, why in found.items():
        if all(note.trouble is not trouble for note in state.notes):
            notes.append(note := Note(trouble, now))
            await _say(transaction, state.feed, note, begun(state.feed, trouble, why), policy, end=False)
    return replace(state, notes=tuple(notes))


async def _say(transaction: Transaction, feed: str, note: Note, page: Page, policy: Policy, *, end: bool) -> None:
    """A message of its own for each trouble; its end is a reply below it."""
    thread = f"feed/{feed}/{note.trouble}/{note.since:%Y%m%dT%H%M%S.%f}"
    for place in policy.operators:
        key = f"{place.chat}/{place.channel}/{thread}/{'end' if end else 'card'}"
        await transaction.queue(Delivery(key, place.chat, place.channel, thread, page, card=not end))


def _show(state: FeedState, meter: Meter) -> None:
    if state.heard_at:
        meter.gauge("feed_mail_time_seconds", state.heard_at.timestamp(), feed=state.feed)
        meter.gauge("feed_lag_seconds", state.lag, feed=state.feed)
    if usual := usual_silence(state):
        meter.gauge("feed_usual_silence_seconds", usual.total_seconds(), feed=state.feed)
    meter.gauge("feed_incomplete_series", state.incomplete, feed=state.feed)
    for trouble in Trouble:
        holds = any(note.trouble is trouble for note in state.notes)
        meter.gauge("feed_trouble", float(holds), feed=state.feed, trouble=trouble.value)
