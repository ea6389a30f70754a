"""The store: opens a database by its URL and hands out transactions, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import LeaseLostError, StoreAwayError, StoreError
from bot.store import migrate, schema
from bot.store.completion import completed
from bot.store.engine import (
    BRIEF,
    READING,
    WRITING,
    check_access,
    explained,
    make_folder,
    name_of,
    opened,
    parsed,
)
from bot.store.transaction import SqlTransaction

LEASE = timedelta(seconds=30)
_UPGRADES: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class SqlStore:
    """A Store of bot.ports: ``sqlite:///folder/file.db``, ``sqlite://`` for one in memory, ``postgresql://host/name``.

    Raises StoreError for a URL it cannot use; nothing is opened before the first use.  What is saved survives
    the end of the process, and the loss of power too unless ``lasting`` is False.  A replica that did not renew its
    ``lease`` for so long may be taken for dead.
    """

    def __init__(self, url: str, *, lasting: bool = True, lease: timedelta = LEASE) -> None:
        self._url = parsed(url)
        self.name = name_of(self._url)
        self.replica = ""
        self._lease = lease
        self._engine = opened(self._url, lease, lasting=lasting)
        self._connected: WeakSet[Any] = WeakSet()
        event.listen(self._engine.sync_engine, "connect", self._note_connection)
        # SQLite has one writer at a time; waiting here is fair and costs nothing, waiting there is polling.
        self._turn = asyncio.Lock()
        self._closed = False
        self._working: asyncio.Task[object] | None = None

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        if self._working is not None and self._working is asyncio.current_task():
            raise StoreError(f"{self.name}: a transaction inside a transaction; end the first before the next")
        async with self._turn:
            self._working = asyncio.current_task()
            try:
                async with self.connected(WRITING) as connection:
                    await self._check_alive(connection)
                    transaction = SqlTransaction(connection, self.replica)
                    yield transaction
                    await transaction.flush()
            finally:
                self._working = None

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[SqlTransaction]:
        async with self.connected(READING) as connection:
            yield SqlTransaction(connection)

    async def upgrade(self) -> tuple[str, str]:
        make_folder(self._url)
        # Alembic knows one upgrade at a time in a process.
        turn = _UPGRADES.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with turn, self.connected(WRITING) as connection:
            return await completed(connection.run_sync(migrate.upgrade, self.name))

    async def ping(self) -> None:
        async with self.connected(READING) as connection:  # the health check waits for no writer
            await completed(connection.run_sync(migrate.check, self.name))

    async def join(self, name: str, former: str = "") -> None:
        async with self._turn, self.connected(WRITING) as connection:
            transaction = SqlTransaction(connection, name)
            await transaction.execute(schema.replicas.delete().where(schema.replicas.c.name == former))
            until = await transaction.clock() + self._lease
            await transaction.execute(schema.replicas.insert(), {"name": name, "until": until})
        self.replica = name

    async def renew(self) -> None:
        # A file has one writer whatever we do, and the wait here is fair; on a server it would be for what is stuck.
        turn = self._turn if self._url.get_backend_name() == "sqlite" else contextlib.nullcontext()
        async with turn, self.connected(BRIEF) as connection:
            transaction = SqlTransaction(connection, self.replica)
            table = schema.replicas
            mine = table.update().where(table.c.name == self.replica)
            until = await transaction.clock() + self._lease
            if not (await transaction.execute(mine.values(until=until))).rowcount:
                raise self._lost()

    async def leave(self) -> None:
        async with self._turn, self.connected(WRITING) as connection:
            table = schema.replicas
            transaction = SqlTransaction(connection, self.replica)
            await transaction.execute(table.delete().where(table.c.name == self.replica))

    def abandon(self) -> None:
        for connection in tuple(self._connected):
            if hasattr(connection, "terminate"):
                connection.terminate()

    async def close(self) -> None:
        """Let the transaction that runs come to its end, admit no other, and close the file."""
        async with self._turn:
            self._closed = True
            await self._engine.dispose()

    async def _check_alive(self, connection: AsyncConnection) -> None:
        """Whoever was taken for dead is told so, before it does what another does by now."""
        table = schema.replicas.c
        if self.replica and not list(
            await completed(connection.execute(select(table.name).where(table.name == self.replica)))
        ):
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        return LeaseLostError(f"{self.name}: replica {self.replica} lost its lease; it begins anew by itself")

    def _note_connection(self, connection: Any, _record: object) -> None:
        self._connected.add(connection.driver_connection)

    @contextlib.asynccontextmanager
    async def connected(self, manner: str) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction; what the database says against it is raised as StoreError."""
        if self._closed:
            raise StoreError(f"{self.name}: it is closed")
        check_access(self._url)
        with explained(self.name):
            connection = self._engine.connect()
            try:
                await completed(_begin(connection, self.name, manner))
                yield connection
                await completed(connection.commit())
            finally:
                await completed(_end(connection))


async def _begin(connection: AsyncConnection, name: str, manner: str) -> None:
    try:
        await connection.start()
    except OSError as fault:  # a database on the network; later on an OSError is the caller's own
        raise StoreAwayError(f"{name}: {fault}; check that it runs and that store.url is right") from fault
    await connection.execution_options(manner=manner)
    await connection.begin()


async def _end(connection: AsyncConnection) -> None:
    """Give the connection back; what was not committed is rolled back."""
    if connection.sync_connection is not None:
        await connection.close()
