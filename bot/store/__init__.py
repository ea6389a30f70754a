"""Where state lives between two starts: one SQL schema, SQLite embedded."""

from bot.store.store import SqlStore

__all__ = ["SqlStore"]
