"""Replicas in a transaction: which are at work on this database, and what each of them holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Text, exists, func, select

from bot.ports.replicas import Holdings
from bot.store import schema
from bot.store.work import Work


class Replicas(Work):
    replica = ""  # the one that asks; none when nothing is shared

    async def clock(self) -> datetime:
        """What the clock of the database shows: the one that all replicas agree on."""
        if self.connection.dialect.name == "postgresql":
            question = select(func.clock_timestamp().cast(Text))
        else:
            question = select(func.strftime("%Y-%m-%d %H:%M:%f+00:00", "now", type_=Text))
        return datetime.fromisoformat((await self.rows(question))[0][0])

    async def claim(self, kind: str, names: Sequence[str]) -> tuple[str, ...]:
        if not self.replica:
            return tuple(names)
        await self.insert_new(schema.claims, [{"kind": kind, "name": one, "replica": self.replica} for one in names])
        table = schema.claims.c
        mine = select(table.name).where(table.kind == kind, table.replica == self.replica)
        held = {row.name for row in await self.rows_for(mine, table.name, names)}
        return tuple(name for name in names if name in held)

    async def let_go(self, kind: str, names: Sequence[str] = ()) -> None:
        if not self.replica:
            return
        table = schema.claims.c
        gone = schema.claims.delete().where(table.kind == kind, table.replica == self.replica)
        await self.execute(gone.where(table.name.in_(names)) if names else gone)

    async def holdings(self) -> Holdings:
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        table = schema.claims.c
        for row in await self.rows(select(schema.replicas.c.name).order_by(schema.replicas.c.name)):
            found[row.name] = {}
        for row in await self.rows(select(schema.claims).order_by(table.kind, table.name)):
            kinds = found[row.replica]
            kinds[row.kind] = (*kinds.get(row.kind, ()), row.name)
        return found

    async def bury(self) -> tuple[str, ...]:
        table = schema.replicas
        ended = table.c.until <= await self.clock()
        dead = [row.name for row in await self.rows(select(table.c.name).where(ended))]
        if dead:  # what they held goes with them
            await self.execute(table.delete().where(ended, table.c.name.in_(dead)))
        return tuple(dead)

    def free(self, kind: str, name: ColumnElement[str]) -> ColumnElement[bool]:
        """Of a column with names: those that no other replica holds."""
        table = schema.claims.c
        return ~exists().where(table.kind == kind, table.name == name, table.replica != self.replica)
