"""Opens the database as the store needs it, and turns its errors into words with a cure."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.ports import StoreError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
BUSY_MS = 30_000  # how long another process may hold the file: a batch of mail takes less than one second
_AGAIN_MS = 50

_CURES = (
    ("unable to open database file", "make its folder writable for this user, or set store.url to another place"),
    ("readonly", "make the file and its folder writable for this user"),
    ("not a database", "restore the file from a backup, or move it away to begin anew"),
    ("malformed", "restore the file from a backup, or move it away to begin anew"),
    ("is locked", "another process holds the database: stop it, then start again"),
    ("disk is full", "free some space; nothing that was saved is lost"),
    ("disk I/O error", "check the disk and its free space"),
    ("no such table", "bring the schema up to date: start gracewatch once with this database"),
)


def parsed(url: str) -> URL:
    """The URL with our driver for its database.  Raises StoreError."""
    try:
        given = make_url(url)
        driver = DRIVERS.get(given.get_backend_name())
    except ArgumentError as fault:
        raise StoreError("store.url is not a database URL; write sqlite:///folder/gracewatch.db") from fault
    if driver is None:
        raise StoreError(f"store.url: {given.drivername} is not supported; write sqlite:///folder/gracewatch.db")
    return given.set(drivername=driver)


def opened(url: URL, *, lasting: bool = True) -> AsyncEngine:
    """An engine; nothing is connected yet.  Raises StoreError."""
    memory = url.get_backend_name() == "sqlite" and file_of(url) is None
    # A database in memory lives as long as its one connection, so all share it, one after the other.
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if memory else {}
    try:
        engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, hide_parameters=True, **pool)
    except (NoSuchModuleError, ModuleNotFoundError) as fault:
        raise StoreError(f"{name_of(url)}: {fault}; install the driver of this database") from fault
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", partial(_prepare, lasting=lasting))
        event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object, *, lasting: bool) -> None:
    connection.isolation_level = None  # sqlite3 would begin late and without the write lock; _begin does it
    try:
        _set_up(connection, lasting=lasting)
    except BaseException:
        connection.close()  # else its thread would outlive the event loop
        raise


def _set_up(connection: Any, *, lasting: bool) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "foreign_keys = ON",
        # That a page is being sent must be on disk before it is sent.
        "synchronous = FULL" if lasting else "synchronous = NORMAL",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _keep_a_write_ahead_log(connection, cursor)
    cursor.close()


def _keep_a_write_ahead_log(connection: Any, cursor: Any) -> None:
    """Readers and the writer then do not wait for each other.

    SQLite does not wait with this change while another process opens the same new file, so it is asked again.
    """
    for left in reversed(range(BUSY_MS // _AGAIN_MS)):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or not left:
                raise
            connection.run_async(lambda _driver: asyncio.sleep(_AGAIN_MS / 1000))
        else:
            return


def _begin(connection: Any) -> None:
    # With the write lock from the start no transaction fails halfway because another one wrote in between.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def file_of(url: URL) -> Path | None:
    """The file of an SQLite database, None for one in memory or on a server."""
    named = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if named else None


def make_folder(url: URL) -> None:
    """The folder of an SQLite file.  Raises StoreError."""
    file = file_of(url)
    try:
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StoreError(
            f"{name_of(url)}: the folder {file and file.parent} cannot be made ({fault.strerror}); "
            "set state.folder or store.url"
        ) from fault


def check_access(url: URL) -> None:
    """Raises StoreError when an SQLite file cannot be written; SQLite itself says less, and later."""
    file = file_of(url)
    if file is None:
        return
    for place in (file.parent, file) if file.exists() else (file.parent,):
        if not os.access(place, os.W_OK):
            raise StoreError(
                f"{name_of(url)}: {place} is missing or not writable; make it so for this user, or set store.url"
            )


def name_of(url: URL) -> str:
    """How a person calls the database; without its password."""
    if url.get_backend_name() == "sqlite":
        return f"database {url.database or 'in memory'}"
    return f"database {url.database} on {url.host}"


@contextlib.contextmanager
def explained(name: str) -> Iterator[None]:
    """Raise what the database says as StoreError, with a cure where one is known."""
    try:
        yield
    except SQLAlchemyError as fault:
        said = str(getattr(fault, "orig", None) or fault).splitlines()[0]
        cure = next((cure for sign, cure in _CURES if sign in said), "see the log of the database")
        raise StoreError(f"{name}: {said}; {cure}") from fault
