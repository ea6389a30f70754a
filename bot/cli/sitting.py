"""One sitting with an archive or some files: the service's own path, on a store that lasts as long as the sitting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.health import Figures
from bot.model import Review, Scan, Series, Unreadable
from bot.ports import Feed, Reviewing, Store
from bot.store import SqlStore
from handlers.mail_arrived import Arrival
from handlers.poll_due import poll_due
from handlers.series_settled import series_settled

PATIENCE = timedelta(days=1)
MOST_UNREADABLE = 1_000_000
_PAUSE = 0.02


class LeapingClock:
    """A Clock of bot.ports that runs no jobs; ``leap`` ends all patience at once."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def leap(self) -> None:
        self._ahead += 2 * PATIENCE

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        raise NotImplementedError(f"{name}: nothing comes round in a sitting")

    async def drain(self) -> None:
        """Nothing runs."""


@dataclass
class Sitting:
    """What was looked at so far, and how each series was judged."""

    store: Store
    review: Reviewing
    told: Callable[[Counter[Arrival]], None] = lambda _counts: None
    counts: Counter[Arrival] = field(default_factory=Counter)
    judged: dict[str, tuple[Series, Review]] = field(default_factory=dict)
    _clock: LeapingClock = field(default_factory=LeapingClock)
    _figures: Figures = field(default_factory=Figures)

    async def read(self, feed: Feed, limit: int = 0) -> None:
        """Take all mail and review each series as it settles; at the end, those that still wait.  Raises FeedError."""
        reading = asyncio.create_task(poll_due(feed, self.store, self._clock, PATIENCE, limit=limit, told=self._count))
        try:
            while not reading.done():
                await self._settle()
                await asyncio.wait((reading,), timeout=_PAUSE)
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        self._clock.leap()
        await self._settle()

    async def _settle(self) -> None:
        await series_settled(self.store, self._clock, self._judge, None, self._figures)

    async def _judge(self, series: Series) -> Review:
        found = await self.review(series)
        self.judged[series.key] = (series, found)
        return found

    def _count(self, counts: Counter[Arrival]) -> None:
        self.counts += counts
        self.told(counts)

    async def scan(self) -> Scan:
        """How much was looked at."""
        async with self.store.transaction() as transaction:
            unreadable = await transaction.unreadable(MOST_UNREADABLE)
        return Scan(
            messages=self.counts.total(),
            patches=self.counts[Arrival.PATCH],
            series=len(self.judged),
            functions=sum(review.functions for _, review in self.judged.values()),
            unreadable=tuple(one for one, times in reversed(unreadable) for _ in range(times)),
        )

    def by_rule(self) -> Counter[str]:
        return Counter(finding.rule for _, review in self.judged.values() for finding in review.findings)


@asynccontextmanager
async def sitting(
    review: Reviewing, told: Callable[[Counter[Arrival]], None] = lambda _counts: None
) -> AsyncIterator[Sitting]:
    """A sitting on a database in memory."""
    store = SqlStore("sqlite://")
    try:
        await store.upgrade()
        yield Sitting(store, review, told)
    finally:
        await store.close()


def unreadable_line(one: Unreadable) -> str:
    """Why an input could not be used, on one line."""
    cure = f" ({one.cure})" if one.cure else ""
    return f"{one.source}: {one.reason}{cure}"
