"""The store: opens a database by its URL and hands out transactions, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ports import StoreError
from bot.store import migrate
from bot.store.completion import completed
from bot.store.engine import check_access, explained, make_folder, name_of, opened, parsed
from bot.store.transaction import SqlTransaction


class SqlStore:
    """A Store of bot.ports: ``sqlite:///folder/file.db``, ``sqlite://`` for one in memory, ``postgresql://host/name``.

    Raises StoreError for a URL it cannot use; nothing is opened before the first use.  What is saved survives
    the end of the process, and the loss of power too unless ``lasting`` is False.
    """

    def __init__(self, url: str, *, lasting: bool = True) -> None:
        self._url = parsed(url)
        self.name = name_of(self._url)
        self._engine = opened(self._url, lasting=lasting)
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
                async with self._begun() as connection:
                    transaction = SqlTransaction(connection)
                    yield transaction
                    await transaction.flush()
            finally:
                self._working = None

    async def upgrade(self) -> None:
        make_folder(self._url)
        async with self._begun() as connection:
            await completed(connection.run_sync(migrate.upgrade, self.name))

    async def ping(self) -> None:
        async with self._begun(reading=True) as connection:  # the health check waits for no writer
            await completed(connection.run_sync(migrate.check, self.name))

    async def close(self) -> None:
        """Let the transaction that runs come to its end, admit no other, and close the file."""
        async with self._turn:
            self._closed = True
            await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def _begun(self, *, reading: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction; what the database says against it is raised as StoreError."""
        if self._closed:
            raise StoreError(f"{self.name}: it is closed")
        check_access(self._url)
        with explained(self.name):
            connection = self._engine.connect()
            try:
                await completed(_begin(connection, self.name, reading=reading))
                yield connection
                await completed(connection.commit())
            finally:
                await completed(_end(connection))


async def _begin(connection: AsyncConnection, name: str, *, reading: bool) -> None:
    try:
        await connection.start()
    except OSError as fault:  # a database on the network; later on an OSError is the caller's own
        raise StoreError(f"{name}: {fault}; check that it runs and that store.url is right") from fault
    await connection.execution_options(reading=reading)
    await connection.begin()


async def _end(connection: AsyncConnection) -> None:
    """Give the connection back; what was not committed is rolled back."""
    if connection.sync_connection is not None:
        await connection.close()
