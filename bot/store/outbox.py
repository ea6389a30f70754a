"""The outbox in a transaction: deliveries, which leave each channel in the order they were queued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, or_, select

from bot.model import Delivery, DeliveryState, Page
from bot.ports import StoreError
from bot.ports.replicas import PAGE
from bot.store import schema
from bot.store.codec import dumps, loads
from bot.store.replicas import Replicas

TABLE = schema.deliveries.c
REMEMBERED_EVENTS = 20_000


class Outbox(Replicas):
    async def queue(self, delivery: Delivery) -> bool:
        fixed = {
            "key": delivery.key,
            "chat": delivery.chat,
            "channel": delivery.channel,
            "thread": delivery.thread,
            "card": delivery.card,
            "page": dumps(delivery.page),
            "slot": delivery.slot,
            "about": json.dumps(delivery.about),
            "broadcast": delivery.broadcast,
            "queued_at": await self.clock(),
        }
        statement = self.insert(schema.deliveries).on_conflict_do_nothing(index_elements=["key"])
        return (await self.execute(statement, {**fixed, **_progress(delivery)})).rowcount == 1

    async def show(self, delivery: Delivery) -> bool:
        here = self._slot(delivery)
        rows = await self.rows(select(schema.deliveries).where(*here).order_by(TABLE.id.desc()).limit(1))
        if not rows:
            return await self.queue(delivery)
        newest = _delivery(rows[0])
        if (newest.page, newest.about) == (delivery.page, delivery.about):
            return False
        (count,) = (await self.rows(select(func.count()).select_from(schema.deliveries).where(*here)))[0]
        if count > 1 and newest.state is DeliveryState.QUEUED and not newest.attempts:
            change = {"page": dumps(delivery.page), "about": json.dumps(delivery.about)}
            await self.execute(schema.deliveries.update().where(TABLE.key == newest.key).values(change))
            return True
        return await self.queue(replace(delivery, key=f"{delivery.key}#{count}"))

    async def standing(self, delivery: Delivery) -> Delivery | None:
        if delivery.card:
            return await self.card(delivery.chat, delivery.channel, delivery.thread)
        if not delivery.slot:
            return None
        sent = TABLE.state == DeliveryState.SENT.value
        question = select(schema.deliveries).where(*self._slot(delivery), sent).order_by(TABLE.id.desc()).limit(1)
        rows = await self.rows(question)
        return _delivery(rows[0]) if rows else None

    @staticmethod
    def _slot(delivery: Delivery) -> tuple[Any, ...]:
        return (
            TABLE.chat == delivery.chat,
            TABLE.channel == delivery.channel,
            TABLE.thread == delivery.thread,
            TABLE.slot == delivery.slot,
        )

    async def told(self, chat: str, channel: str, thread: str) -> Mapping[str, tuple[str, ...]]:
        here = (TABLE.chat == chat, TABLE.channel == channel, TABLE.thread == thread, TABLE.card.is_(False))
        question = select(TABLE.slot, TABLE.about).where(*here, TABLE.slot != "").order_by(TABLE.id)
        return {str(slot): tuple(json.loads(about)) for slot, about in await self.rows(question)}

    async def followers(self, thread: str) -> tuple[tuple[str, str], ...]:
        question = select(TABLE.chat, TABLE.channel).where(TABLE.thread == thread, TABLE.card).distinct()
        return tuple((str(chat), str(channel)) for chat, channel in await self.rows(question))

    async def due_deliveries(self, now: datetime, limit: int) -> tuple[Delivery, ...]:
        first = select(func.min(TABLE.id)).where(schema.UNFINISHED).group_by(TABLE.chat, TABLE.channel)
        may_go = or_(TABLE.not_before.is_(None), TABLE.not_before <= now)
        queued = TABLE.state == DeliveryState.QUEUED.value
        question = select(schema.deliveries).where(TABLE.id.in_(first), queued, may_go).order_by(TABLE.id).limit(limit)
        return tuple(_delivery(row) for row in await self.rows(question))

    async def interrupted_deliveries(self) -> tuple[Delivery, ...]:
        held = exists().where(schema.claims.c.kind == PAGE, schema.claims.c.name == TABLE.key)
        left = select(schema.deliveries).where(TABLE.state == DeliveryState.SENDING.value, ~held)
        return tuple(_delivery(row) for row in await self.rows(left.order_by(TABLE.id)))

    async def save_delivery(self, delivery: Delivery) -> None:
        statement = schema.deliveries.update().where(TABLE.key == delivery.key).values(_progress(delivery))
        if (await self.execute(statement)).rowcount != 1:
            raise StoreError(f"delivery {delivery.key!r} was never queued; queue it before its state is saved")
        if delivery.state is DeliveryState.SENDING:
            await self.claim(PAGE, [delivery.key])
        else:
            await self.let_go(PAGE, [delivery.key])

    async def paces(self) -> Mapping[tuple[str, str], datetime]:
        return {(row.chat, row.channel): row.paid for row in await self.rows(select(schema.paces))}

    async def save_pace(self, place: tuple[str, str], paid: datetime) -> None:
        row = {"chat": place[0], "channel": place[1], "paid": paid}
        await self.put(schema.paces, [row], ["chat", "channel"])

    async def card(self, chat: str, channel: str, thread: str) -> Delivery | None:
        here = (TABLE.chat == chat) & (TABLE.channel == channel) & (TABLE.thread == thread)
        sent = TABLE.card & (TABLE.state == DeliveryState.SENT.value)
        rows = await self.rows(select(schema.deliveries).where(here, sent).order_by(TABLE.id.desc()).limit(1))
        return _delivery(rows[0]) if rows else None

    async def thread_at(self, chat: str, channel: str, remote_id: str) -> str:
        if not remote_id:
            return ""
        here = (TABLE.chat == chat) & (TABLE.channel == channel) & (TABLE.remote_id == remote_id)
        rows = await self.rows(select(TABLE.thread).where(here, TABLE.card).order_by(TABLE.id.desc()).limit(1))
        return str(rows[0].thread) if rows else ""

    async def seen_event(self, event_id: str) -> bool:
        table = schema.events.c
        if await self.rows(select(table.id).where(table.event == event_id)):
            return True
        await self.execute(schema.events.insert(), {"event": event_id})
        newest = select(func.max(table.id)).scalar_subquery()
        await self.execute(schema.events.delete().where(table.id <= newest - REMEMBERED_EVENTS))
        return False


def _progress(delivery: Delivery) -> dict[str, Any]:
    """The columns that change while a delivery is on its way."""
    return {
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "not_before": delivery.not_before,
        "remote_id": delivery.remote_id,
        "error": delivery.error,
    }


def _delivery(row: Any) -> Delivery:
    return Delivery(
        key=row.key,
        chat=row.chat,
        channel=row.channel,
        thread=row.thread,
        page=loads(Page, row.page),
        card=row.card,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        not_before=row.not_before,
        remote_id=row.remote_id,
        error=row.error,
        slot=row.slot,
        about=tuple(json.loads(row.about)),
        broadcast=row.broadcast,
    )
