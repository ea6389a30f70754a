"""Copies all that one database holds into another, empty one: in one transaction, counted at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import StoreError
from bot.store import schema
from bot.store.engine import WRITING
from bot.store.replicas import Replicas
from bot.store.store import SqlStore

_ROWS = 500
_ROWS_OF_BYTES = 50  # of tables with mail in them: a mail may have megabytes
_LEFT_OUT = {"replicas", "claims"}  # who is at work there, and on what: nobody is, here
TABLES = tuple(table for table in schema.metadata.sorted_tables if table.name not in _LEFT_OUT)


async def moved(
    source: SqlStore, target: SqlStore, told: Callable[[int], None] = lambda _rows: None
) -> Mapping[str, int]:
    """Copy every table and return how many rows each has; ``told`` hears of rows as they come.

    The source stays as it is.  Raises StoreError, and then the target is as empty as it was: a source in which a
    service is at work, a target that holds anything, and counts that differ.
    """
    await source.ping()
    await target.upgrade()
    async with source.connected(WRITING) as ours, target.connected(WRITING) as theirs:
        await _check_quiet(source, ours)
        await _check_empty(target, theirs)
        for table in TABLES:
            await _copied(ours, theirs, table, told)
            await _count_on(ours, theirs, table)
        before, after = await _counted(ours), await _counted(theirs)
        if before != after:
            odd = ", ".join(name for name in before if before[name] != after[name])
            raise StoreError(f"{target.name}: not all arrived ({odd}); nothing was kept, please report it as a bug")
        return after


async def _check_quiet(source: SqlStore, connection: AsyncConnection) -> None:
    there = Replicas(connection)
    await there.bury()
    if at_work := ", ".join(await there.holdings()):
        cure = "stop it first; after a kill -9, wait until its lease is over"
        raise StoreError(f"{source.name}: a service is at work in it ({at_work}); {cure}")


async def _check_empty(target: SqlStore, connection: AsyncConnection) -> None:
    full = [f"{rows:,} {name}" for name, rows in (await _counted(connection)).items() if rows]
    if full:
        cure = "name a new database; nothing was changed"
        raise StoreError(f"{target.name}: is not empty, it holds {', '.join(full)}; {cure}")


async def _copied(ours: AsyncConnection, theirs: AsyncConnection, table: Table, told: Callable[[int], None]) -> None:
    heavy = any(column.name in {"raw", "body"} for column in table.columns)
    rows = _ROWS_OF_BYTES if heavy else _ROWS
    answer = await ours.stream(select(table).order_by(*table.primary_key).execution_options(yield_per=rows))
    async for batch in answer.mappings().partitions(rows):
        await theirs.execute(table.insert(), [dict(row) for row in batch])
        told(len(batch))


async def _count_on(ours: AsyncConnection, theirs: AsyncConnection, table: Table) -> None:
    """Have new rows get numbers that no row ever had, as people may remember them."""
    number = table.autoincrement_column
    if number is None:
        return
    last = await _last_number(ours, table, number)
    if not last:
        return
    if theirs.dialect.name == "postgresql":
        place = func.pg_get_serial_sequence(table.name, number.name)
        await theirs.execute(select(func.setval(place, last)))
    elif table.dialect_options["sqlite"].get("autoincrement"):
        named = {"name": table.name, "last": last}
        await theirs.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), named)
        await theirs.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), named)


async def _last_number(ours: AsyncConnection, table: Table, number: Column[int]) -> int:
    question: Any = select(func.max(number))
    if ours.dialect.name == "postgresql":
        question = select(
            func.pg_sequence_last_value(func.pg_get_serial_sequence(table.name, number.name).op("::")(text("regclass")))
        )
    elif table.dialect_options["sqlite"].get("autoincrement"):
        question = text("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(name=table.name)
    return int((await ours.execute(question)).scalar_one_or_none() or 0)


async def _counted(connection: AsyncConnection) -> dict[str, int]:
    found = [(table.name, await connection.execute(select(func.count()).select_from(table))) for table in TABLES]
    return {name: int(answer.scalar_one()) for name, answer in found}
