"""Somebody asks what a channel would have been told: the series of the last days take the service's path once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.mail.series import settle
from bot.model import DeliveryState, Page, Person, Review, Series, SeriesState, Subscription
from bot.ports import Reviewing, Store
from handlers.policy import Place, Policy
from handlers.series_settled import series_settled

_AT_ONCE = 100


class UnknownChannelError(Exception):
    """The settings name no such channel; the message names those that there are."""


@dataclass(frozen=True, slots=True)
class Said:
    """A page that the channel would have got, and when.

    A ``card`` begins a thread, what is none is a reply below it.  ``edit``: in the place of what stood there.
    """

    at: datetime
    page: Page
    card: bool
    edit: bool = False


async def previewed(
    store: Store,
    scratch: Store,
    review: Reviewing,
    place: Place,
    since: datetime,
    now: datetime,
    *,
    pinned: frozenset[str] = frozenset(),
    words: str = "",
) -> tuple[Said, ...]:
    """What the place would have been told since a moment, in the order of time; nothing is sent, nothing is saved.

    Every version of the work is gone through from its first, so that what is new and what is fixed is told as it would
    have been.  A review that the store has is taken as it is; ``review`` is asked for the others.  What people judged,
    muted and subscribed to by now counts, quiet hours do not.  ``scratch`` is an empty store, which is filled.
    ``words`` are a filter that stands in the place of the channel's subscriptions.
    """
    clock, said = _Still(now), []
    await _wishes(store, scratch, place, now, words)
    for at, key in await _told(store, since, now):
        async with store.transaction() as transaction:
            series, known = await transaction.series(key), await transaction.review(key)
        if series is None:
            continue
        async with scratch.transaction() as transaction:
            await transaction.save_series(replace(series, state=SeriesState.SETTLED))
        await series_settled(scratch, clock, _asking(review, known), Policy((place,), place.bar, pinned), _Deaf())
        pages = await _sent(scratch, now, at)
        said += pages if at >= since else []
    return tuple(said)


def _asking(review: Reviewing, known: Review | None) -> Reviewing:
    async def look(series: Series) -> Review:
        return known or await review(series)

    return look


async def _wishes(store: Store, scratch: Store, place: Place, now: datetime, words: str) -> None:
    """Have the scratch store know what people said of findings, and of what the channel is to hear."""
    async with store.transaction() as transaction:
        habits = await transaction.habits(place.chat, place.channel)
        mutes = await transaction.mutes(now, place.chat, place.channel)
        wishes = [
            one for one in await transaction.subscriptions() if (one.chat, one.channel) == (place.chat, place.channel)
        ]
        verdicts = await transaction.all_verdicts()
    if words:
        wishes = [Subscription(place.chat, place.channel, words, Person(place.chat, ""), now)]
    async with scratch.transaction() as transaction:
        if habits:
            await transaction.set_habits(place.chat, place.channel, replace(habits, quiet_from=None, quiet_to=None))
        for mute in mutes:
            await transaction.add_mute(mute)
        for wish in wishes:
            await transaction.add_subscription(wish)
        for verdict in verdicts:
            await transaction.set_verdict(verdict)


async def _told(store: Store, since: datetime, now: datetime) -> list[tuple[datetime, str]]:
    """When each series was told, and its key, of all threads in which something was told since a moment."""
    async with store.transaction() as transaction:
        keys = await transaction.series_since(since)
    threads: dict[str, bool] = {}
    for key in keys:  # one at a time: together they may be large
        async with store.transaction() as transaction:
            if (series := await transaction.series(key)) and not threads.get(series.thread):
                threads[series.thread] = _when(series) >= since
    told: list[tuple[datetime, str]] = []
    for thread in (thread for thread, recent in threads.items() if recent):
        async with store.transaction() as transaction:
            versions = await transaction.versions(thread)
        told += [(_when(one), one.key) for one in versions if settle(one, now).state is not SeriesState.OPEN]
    return sorted(told, key=lambda pair: pair[0])


def _when(series: Series) -> datetime:
    """When a series was told: when its last part was sent, but not later than its patience ended."""
    parts = (*(patch.message for patch in series.patches), *((series.cover,) if series.cover else ()))
    return min(max((part.sent_at for part in parts if part.sent_at), default=series.settles_at), series.settles_at)


async def _sent(scratch: Store, now: datetime, at: datetime) -> list[Said]:
    """Take all that is due out of an outbox, as if a chat had taken it."""
    said: list[Said] = []
    async with scratch.transaction() as transaction:
        while due := await transaction.due_deliveries(now, _AT_ONCE):
            for delivery in due:
                edit = await transaction.standing(delivery) is not None
                said.append(Said(at, delivery.page, delivery.card, edit))
                await transaction.save_delivery(replace(delivery, state=DeliveryState.SENT, remote_id=delivery.key))
    return said


@dataclass(frozen=True, slots=True)
class _Still:
    """A clock that shows one moment."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        raise NotImplementedError(f"{name}: nothing comes round in a preview")

    async def drain(self) -> None:
        """Nothing runs."""


class _Deaf:
    """A meter for work that is not to be counted."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Not counted."""

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Not noted."""

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Not noted."""
