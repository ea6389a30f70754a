"""Brings the schema of a database to the newest version, and says which version it has."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bot.ports import StoreError

NEWER = "was written by a newer gracewatch; install that version, or restore the backup made before its upgrade"


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())


@cache
def newest() -> str:
    return str(scripts().get_current_head())


def current(connection: Connection) -> str:
    """The version of the schema, "" for an empty database."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(connection: Connection, name: str) -> tuple[str, str]:
    """Run what is missing, in the caller's transaction; the versions before and after.

    Raises StoreError when the schema is newer than we are.
    """
    version = current(connection)
    if version == newest():
        return version, version
    known = {script.revision for script in scripts().walk_revisions()}
    if version and version not in known:
        raise StoreError(f"{name}: {NEWER}")
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return version, newest()


def check(connection: Connection, name: str) -> None:
    """Raises StoreError unless the schema is the one that we know."""
    version = current(connection)
    if version == newest():
        return
    known = {script.revision for script in scripts().walk_revisions()}
    if version and version not in known:
        raise StoreError(f"{name}: {NEWER}")
    raise StoreError(f"{name}: its schema is too old; bring it up to date by starting gracewatch once with it")
