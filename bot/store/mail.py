"""Mail in a transaction: known ids, the bytes as they came, what could not be read, and the feeds' cursors."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Message, RawMail, Unreadable
from bot.store import schema
from bot.store.shelf import Shelf

LONGEST_POSITION = 200


class Mail(Shelf):
    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._known: dict[str, bool] = {}
        self._mails: dict[str, RawMail] = {}  # to write
        self._unreadable: dict[bytes, dict[str, Any]] = {}  # to write
        self._cursors: dict[str, str] = {}  # to write

    async def has_message(self, message_id: str) -> bool:
        return bool(await self.known_messages((message_id,)))

    async def known_messages(self, message_ids: Sequence[str]) -> frozenset[str]:
        new = [name for name in dict.fromkeys(message_ids) if name not in self._known]
        if new:
            found = {name for (name,) in await self.rows_for(select(schema.messages.c.id), schema.messages.c.id, new)}
            self._known |= {name: name in found for name in new}
        return frozenset(name for name in message_ids if self._known[name])

    async def foresee(self, messages: Sequence[Message]) -> None:
        await self.known_messages([message.id for message in messages])
        await super().foresee(messages)

    async def add_message(self, message: Message, raw: RawMail, series_key: str) -> None:
        if await self.has_message(message.id):
            return
        self._known[message.id] = True
        # Where a feed on the web goes on is up to 3 KB of what it has seen, and of no use beside the mail.
        self._mails[message.id] = raw if len(raw.position) <= LONGEST_POSITION else replace(raw, position="")
        if series_key:
            self.join(message.id, series_key)

    async def raw_mail(self, message_id: str) -> RawMail | None:
        if message_id in self._mails:
            return self._mails[message_id]
        table = schema.messages.c
        found = await self.rows(select(table.feed, table.position, table.raw).where(table.id == message_id))
        return RawMail(found[0].feed, found[0].position, zlib.decompress(found[0].raw)) if found else None

    async def add_unreadable(self, unreadable: Unreadable, feed: str) -> None:
        fields = {"feed": feed, "source": unreadable.source, "reason": unreadable.reason, "cure": unreadable.cure}
        digest = hashlib.sha256(repr(tuple(fields.values())).encode("ascii", "backslashreplace")).digest()
        row = self._unreadable.setdefault(digest, {"digest": digest, **fields, "times": 0})
        row["times"] += 1

    async def unreadable(self, limit: int) -> tuple[tuple[Unreadable, int], ...]:
        await self.flush()
        table = schema.unreadable.c
        question = select(table.source, table.reason, table.cure, table.times).order_by(table.id.desc()).limit(limit)
        return tuple(
            (Unreadable(source, reason, cure), times) for source, reason, cure, times in await self.rows(question)
        )

    async def cursor(self, feed: str) -> str:
        if feed in self._cursors:
            return self._cursors[feed]
        table = schema.cursors.c
        found = await self.rows(select(table.position).where(table.feed == feed))
        return str(found[0].position) if found else ""

    async def set_cursor(self, feed: str, position: str) -> None:
        self._cursors[feed] = position

    async def flush(self) -> None:
        await super().flush()
        await self.insert_new(schema.messages, await asyncio.to_thread(_rows, self._mails))
        if self._unreadable:
            again = self.insert(schema.unreadable)
            times = schema.unreadable.c.times + again.excluded.times
            await self.execute(
                again.on_conflict_do_update(index_elements=["digest"], set_={"times": times}),
                list(self._unreadable.values()),
            )
        await self.put(schema.cursors, [{"feed": k, "position": v} for k, v in self._cursors.items()], ["feed"])
        self._mails.clear()
        self._unreadable.clear()
        self._cursors.clear()


def _rows(mails: Mapping[str, RawMail]) -> list[dict[str, Any]]:
    return [
        {"id": name, "feed": raw.feed, "position": raw.position, "raw": zlib.compress(raw.data, 1)}
        for name, raw in mails.items()
    ]
