"""How feeds do, in a transaction."""

from __future__ import annotations

from sqlalchemy import select

from bot.model import FeedState
from bot.store import schema
from bot.store.codec import dumps, loads
from bot.store.work import Work


class Feeds(Work):
    async def feed_state(self, feed: str) -> FeedState:
        table = schema.feeds.c
        rows = await self.rows(select(table.body).where(table.feed == feed))
        return loads(FeedState, rows[0].body) if rows else FeedState(feed)

    async def feed_states(self) -> tuple[FeedState, ...]:
        rows = await self.rows(select(schema.feeds.c.body).order_by(schema.feeds.c.feed))
        return tuple(loads(FeedState, row.body) for row in rows)

    async def save_feed_state(self, state: FeedState) -> None:
        await self.put(schema.feeds, [{"feed": state.feed, "body": dumps(state)}], ["feed"])
