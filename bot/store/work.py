"""What the parts of a transaction share: its connection, questions about many keys, and writes that are gathered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Executable, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.completion import completed

CHUNK = 500  # keys in one question; databases bound the number of parameters


class Work:
    """One transaction at work.  Its parts inherit from this, and each flushes what it gathered."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def flush(self) -> None:
        """Write what was gathered, so that a question to the database sees it."""

    async def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run one statement, to its end also when the caller is cancelled."""
        return await completed(self.connection.execute(statement, values))

    async def rows(self, question: Select[Any]) -> Sequence[Any]:
        """The rows of an answer: tuples whose fields also have names."""
        return list(await self.execute(question))

    async def rows_for(self, question: Select[Any], column: ColumnElement[Any], values: Iterable[str]) -> Sequence[Any]:
        """All rows that have one of these values in the column."""
        wanted = list(values)
        found: list[Any] = []
        for start in range(0, len(wanted), CHUNK):
            found += await self.rows(question.where(column.in_(wanted[start : start + CHUNK])))
        return found

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that knows ``on_conflict_do_…``, which SQLite and PostgreSQL spell alike."""
        return sqlite.insert(table) if self.connection.dialect.name == "sqlite" else postgresql.insert(table)

    async def insert_new(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Add rows; one whose key is there already changes nothing."""
        if rows:
            await self.execute(self.insert(table).on_conflict_do_nothing(), rows)

    async def put(self, table: Table, rows: Sequence[dict[str, Any]], key: Sequence[str]) -> None:
        """Add rows; one whose key is there already takes its place."""
        if rows:
            statement = self.insert(table)
            changes = {name: statement.excluded[name] for name in rows[0] if name not in key}
            await self.execute(statement.on_conflict_do_update(index_elements=key, set_=changes), rows)
