"""Opens the database as the store needs it, and turns its errors into words with a cure."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.ports import StoreAwayError, StoreError

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
BUSY_MS = 30_000  # how long another process may hold the file: a batch of mail takes less than one second
_AGAIN_MS = 50
_OF_THE_INPUT = {"22", "23", "42", "54"}  # classes of SQLSTATE: data, constraints, syntax, limits of a statement
_OF_SERVICE = (OperationalError, InternalError)
CONNECTING_SECONDS = 10.0
_TURN = 0x6772616365  # any number that all replicas agree on
# What a transaction is for.  One that is brief writes one row and waits for no turn where the database can do without.
READING, WRITING, BRIEF = "reading", "writing", "brief"

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


def opened(url: URL, lease: timedelta, *, lasting: bool = True) -> AsyncEngine:
    """An engine; nothing is connected yet.  Raises StoreError.

    A transaction that says nothing for the time of a lease is ended, where the database is on a server.
    """
    memory = url.get_backend_name() == "sqlite" and file_of(url) is None
    # A database in memory lives as long as its one connection, so all share it, one after the other.
    more: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if memory else {}
    if url.get_backend_name() == "postgresql":
        more = {"connect_args": _manners(lease)}
    try:
        engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, hide_parameters=True, **more)
    except (NoSuchModuleError, ModuleNotFoundError) as fault:
        raise StoreError(f"{name_of(url)}: {fault}; install the driver of this database") from fault
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", partial(_prepare, lasting=lasting))
        event.listen(engine.sync_engine, "begin", _begin)
    else:
        event.listen(engine.sync_engine, "begin", _take_turn)
    return engine


def _manners(lease: timedelta) -> dict[str, Any]:
    """What a connection to PostgreSQL is asked for: the server must not keep for us what we cannot give back."""
    milliseconds = str(max(1000, int(lease.total_seconds() * 1000)))
    seconds = str(max(1, int(lease.total_seconds() / 3)))
    settings = {
        "application_name": "gracewatch",
        "idle_in_transaction_session_timeout": milliseconds,
        "tcp_user_timeout": milliseconds,
        "tcp_keepalives_idle": seconds,
        "tcp_keepalives_interval": seconds,
        "tcp_keepalives_count": "2",
    }
    return {"timeout": CONNECTING_SECONDS, "server_settings": settings}


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
    reading = connection.get_execution_options().get("manner") == READING
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _take_turn(connection: Any) -> None:
    """As SQLite does it: one writer at a time, so a transaction of any replica sees all that came before it."""
    if connection.get_execution_options().get("manner") == WRITING:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")


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
        raise (StoreAwayError if _away(fault) else StoreError)(f"{name}: {said}; {cure}") from fault


def _away(fault: SQLAlchemyError) -> bool:
    """Whether the database refuses everything just now, and not what it was given."""
    if not isinstance(fault, DBAPIError):
        return False
    state = str(getattr(fault.orig, "sqlstate", None) or "")
    return state[:2] not in _OF_THE_INPUT if state else fault.connection_invalidated or isinstance(fault, _OF_SERVICE)
