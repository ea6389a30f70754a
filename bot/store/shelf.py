"""Series in a transaction: read once, held in memory, found by message, key and likeness, written in bulk."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Address, Message, Patch, Series, SeriesState
from bot.ports.replicas import REVIEW
from bot.store import schema
from bot.store.codec import Head, dumps, loads, pack, put_together, taken_apart
from bot.store.replicas import Replicas

Mark = tuple[str, str]  # a column that kin have in common, and its value
TABLE = schema.series.c
GREATEST = 2**62  # a mail may claim any version; the column orders versions, the head keeps what was claimed


def likeness(author: Address, title: str) -> str:
    return " ".join((author.email.casefold(), *title.casefold().split()))


def marks(series: Series) -> Iterator[Mark]:
    """What other versions of a series have, too."""
    yield "likeness", likeness(series.author, series.title)
    yield "thread", series.thread
    if series.change_id:
        yield "change_id", series.change_id


class Shelf(Replicas):
    """The series that this transaction has met.  What it holds is never stale: a transaction sees no other's writes."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._stored: dict[str, Series | None] = {}  # as the database has them
        self._now: dict[str, Series] = {}
        self._changed: dict[str, None] = {}  # keys in the order they were saved
        self._by_mark: defaultdict[Mark, dict[str, None]] = defaultdict(dict)
        self._by_message: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._asked: set[Mark] = set()  # marks whose series are all here
        self._asked_messages: set[str] = set()
        self._joined: dict[tuple[str, str], None] = {}  # (message, series) to write

    async def series(self, key: str) -> Series | None:
        await self._fetch([key])
        return self._now.get(key)

    async def series_of(self, message_ids: Sequence[str]) -> tuple[Series, ...]:
        new = [name for name in dict.fromkeys(message_ids) if name not in self._asked_messages]
        if new:
            table = schema.members.c
            for message, key in await self.rows_for(select(table.message, table.series), table.message, new):
                self._by_message[message][key] = None
            self._asked_messages.update(new)
        return await self._held(key for name in message_ids for key in self._by_message.get(name, ()))

    async def kin(self, series: Series) -> tuple[Series, ...]:
        own = set(marks(series))
        await self._ask(own)
        found = await self._held(key for mark in marks(series) for key in self._by_mark.get(mark, ()))
        return tuple(one for one in found if own & set(marks(one)))

    async def foresee(self, messages: Sequence[Message]) -> None:
        names = list(dict.fromkeys(name for message in messages for name in (message.id, *message.parents)))
        near = await self.series_of(names)
        expected = {mark for series in near for mark in marks(series)}
        expected |= {("thread", name) for name in names}
        expected |= {("likeness", likeness(message.sender, message.subject.title)) for message in messages}
        expected |= {("change_id", message.change_id) for message in messages if message.change_id}
        await self._ask(expected)

    async def save_series(self, series: Series) -> None:
        self._hold(series)
        self._changed[series.key] = None

    async def due_series(self, now: datetime, limit: int) -> tuple[Series, ...]:
        late = (TABLE.state == SeriesState.OPEN.value) & (TABLE.settles_at <= now)
        due = or_(TABLE.state == SeriesState.SETTLED.value, late)
        free = self.free(REVIEW, TABLE.thread)
        return await self._listed(select(TABLE.key).where(due, free).order_by(TABLE.id).limit(limit))

    async def recent_series(self, limit: int, words: str = "") -> tuple[Series, ...]:
        question = select(TABLE.key).order_by(TABLE.id.desc()).limit(limit)
        for word in words.casefold().split():
            question = question.where(TABLE.words.contains(word, autoescape=True))
        return await self._listed(question)

    async def series_since(self, moment: datetime) -> tuple[str, ...]:
        await self.flush()
        rows = await self.rows(select(TABLE.key).where(TABLE.settles_at > moment).order_by(TABLE.id))
        return tuple(str(row.key) for row in rows)

    async def versions(self, thread: str) -> tuple[Series, ...]:
        return await self._listed(select(TABLE.key).where(TABLE.thread == thread).order_by(TABLE.version, TABLE.id))

    def join(self, message_id: str, key: str) -> None:
        """Note that a message belongs to a series."""
        self._by_message[message_id][key] = None
        self._joined[message_id, key] = None

    async def flush(self) -> None:
        await super().flush()
        await self._fetch(self._changed)  # what is new in a series shows only beside what is stored of it
        changed = [(self._now[key], self._stored[key]) for key in self._changed]
        heads, parts, gone = await asyncio.to_thread(_written, changed)
        await self.put(schema.series, heads, ["key"])
        for key, name in gone:
            there = (schema.parts.c.series == key) & (schema.parts.c.name == name)
            await self.execute(schema.parts.delete().where(there))
        await self.put(schema.parts, parts, ["series", "name"])
        await self.insert_new(schema.members, [{"message": name, "series": key} for name, key in self._joined])
        self._stored |= {series.key: series for series, _ in changed}
        self._changed.clear()
        self._joined.clear()

    async def _listed(self, question: Select[Any]) -> tuple[Series, ...]:
        await self.flush()
        return await self._held([key for (key,) in await self.rows(question)])

    async def _held(self, keys: Iterable[str]) -> tuple[Series, ...]:
        wanted = list(dict.fromkeys(keys))
        await self._fetch(wanted)
        return tuple(self._now[key] for key in wanted if key in self._now)

    async def _ask(self, wanted: set[Mark]) -> None:
        """Bring in all series that have one of these marks."""
        new = wanted - self._asked
        keys: dict[str, None] = {}
        for kind in sorted({kind for kind, _ in new}):
            values = sorted(value for name, value in new if name == kind)
            for (key,) in await self.rows_for(select(TABLE.key).order_by(TABLE.id), TABLE[kind], values):
                keys[key] = None
        await self._fetch(keys)
        self._asked |= new

    async def _fetch(self, keys: Iterable[str]) -> None:
        new = [key for key in dict.fromkeys(keys) if key not in self._stored]
        if not new:
            return
        heads = await self.rows_for(select(TABLE.key, TABLE.head), TABLE.key, new)
        table = schema.parts.c
        bodies: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        found = [key for key, _ in heads]
        for key, name, body in await self.rows_for(select(table.series, table.name, table.body), table.series, found):
            bodies[key][name] = body
        read = await asyncio.to_thread(lambda: [put_together(loads(Head, head), bodies[key]) for key, head in heads])
        self._stored |= dict.fromkeys(new)
        for series in read:
            self._stored[series.key] = series
            if series.key not in self._changed:
                self._hold(series)

    def _hold(self, series: Series) -> None:
        self._now[series.key] = series
        for mark in marks(series):
            self._by_mark[mark][series.key] = None
        for name in (*series.message_ids, *(reply.id for reply in series.replies)):
            if series.key not in self._by_message[name]:
                self.join(name, series.key)


def _written(
    changed: Sequence[tuple[Series, Series | None]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[tuple[str, str]]]:
    """Rows of series, rows of those parts that are new or other than stored, and the names of parts that are gone."""
    heads: list[dict[str, Any]] = []
    bodies: list[dict[str, Any]] = []
    gone: list[tuple[str, str]] = []
    for series, stored in changed:
        head, parts = taken_apart(series)
        before: dict[str, Message | Patch] = taken_apart(stored)[1] if stored else {}
        heads.append(_row(series, head))
        bodies += [
            {"series": series.key, "name": name, "body": pack(part)}
            for name, part in parts.items()
            if before.get(name) is not part and before.get(name) != part
        ]
        gone += [(series.key, name) for name in before if name not in parts]
    return heads, bodies, gone


def _row(series: Series, head: Head) -> dict[str, Any]:
    return {
        "key": series.key,
        "thread": series.thread,
        "version": max(-GREATEST, min(series.version, GREATEST)),
        "likeness": likeness(series.author, series.title),
        "change_id": series.change_id,
        "state": series.state.value,
        "settles_at": series.settles_at,
        "words": f"{series.title} {series.author.name} {series.author.email}".casefold(),
        "head": dumps(head),
    }
