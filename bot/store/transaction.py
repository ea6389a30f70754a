"""Everything that is saved together: mail, series, reviews and outbox on one connection."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import DeliveryState, Review, Series, SeriesState
from bot.store import schema
from bot.store.feeds import Feeds
from bot.store.mail import Mail
from bot.store.outbox import Outbox
from bot.store.tally import Tally
from bot.store.triage import Decisions


class SqlTransaction(Mail, Tally, Outbox, Decisions, Feeds):
    """A Transaction of bot.ports.  Mail, series and cursors are gathered; ``flush`` writes them."""

    def __init__(self, connection: AsyncConnection, replica: str = "") -> None:
        super().__init__(connection)
        self.replica = replica

    async def reviewed_between(self, start: datetime, end: datetime, limit: int) -> tuple[tuple[Series, Review], ...]:
        await self.flush()
        table = schema.series.c
        question = (
            select(table.key)
            .where(table.state == SeriesState.REVIEWED.value, table.settles_at >= start, table.settles_at < end)
            .order_by(table.id)
            .limit(limit)
        )
        pairs = [(await self.series(key), await self.review(key)) for (key,) in await self.rows(question)]
        return tuple((series, review) for series, review in pairs if series and review)

    async def counts(self) -> dict[str, int]:
        await self.flush()
        result: dict[str, int] = {}
        for table in (schema.messages, schema.unreadable, schema.series, schema.reviews, schema.findings):
            result[table.name] = int((await self.rows(select(func.count()).select_from(table)))[0][0])
        result |= {state.value: 0 for kind in (SeriesState, DeliveryState) for state in kind}
        for column in (schema.series.c.state, schema.deliveries.c.state):
            rows = await self.rows(select(column, func.count()).group_by(column))
            result |= {str(state): int(count) for state, count in rows}
        return result

    async def waiting(self) -> dict[str, datetime]:
        await self.flush()
        deliveries, series = schema.deliveries.c, schema.series.c
        oldest = {
            "pages": select(func.min(deliveries.queued_at)).where(schema.UNFINISHED),
            "reviews": select(func.min(series.settles_at)).where(series.state == SeriesState.SETTLED.value),
        }
        found = {name: (await self.rows(question))[0][0] for name, question in oldest.items()}
        return {name: moment for name, moment in found.items() if moment is not None}
