"""Everything that is saved together: mail, series, reviews and outbox on one connection."""

from __future__ import annotations

from sqlalchemy import func, select

from bot.model import DeliveryState, SeriesState
from bot.store import schema
from bot.store.feeds import Feeds
from bot.store.mail import Mail
from bot.store.outbox import Outbox
from bot.store.tally import Tally
from bot.store.triage import Decisions


class SqlTransaction(Mail, Tally, Outbox, Decisions, Feeds):
    """A Transaction of bot.ports.  Mail, series and cursors are gathered; ``flush`` writes them."""

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
