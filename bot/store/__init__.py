"""Where state lives between two starts: one SQL schema, on SQLite or PostgreSQL."""

from bot.store.store import SqlStore

__all__ = ["SqlStore"]
