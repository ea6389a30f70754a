"""The tables, the same on SQLite and PostgreSQL, and the column types that both can hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)

Serial = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up INTEGER keys only

_UNSAFE = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPE = re.compile(r"\\([0-9a-f]{4})")


class AnyText(TypeDecorator[str]):
    """Text that may hold what a database refuses: a lone surrogate or NUL is written as a backslash and four digits."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else _UNSAFE.sub(lambda found: f"\\{ord(found[0]):04x}", value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or "\\" not in value:
            return value
        return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)


class Moment(TypeDecorator[datetime]):
    """An aware time, kept in UTC: SQLite has no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

messages = Table(
    "messages",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("feed", AnyText, nullable=False),
    Column("position", AnyText, nullable=False),
    Column("raw", LargeBinary, nullable=False),  # zlib
)

unreadable = Table(
    "unreadable",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # of all that follows but the count
    Column("feed", AnyText, nullable=False),
    Column("source", AnyText, nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("cure", AnyText, nullable=False),
    Column("times", Integer, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("feed", AnyText, primary_key=True),
    Column("position", AnyText, nullable=False),
)

feeds = Table(
    "feeds",
    metadata,
    Column("feed", AnyText, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of FeedState
)

series = Table(
    "series",
    metadata,
    Column("id", Serial, primary_key=True),  # in the order they came
    Column("key", AnyText, nullable=False, unique=True),
    Column("thread", AnyText, nullable=False, index=True),
    Column("version", BigInteger, nullable=False),
    Column("likeness", AnyText, nullable=False, index=True),  # author and title: the same for all versions
    Column("change_id", AnyText, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("settles_at", Moment, nullable=False),
    Column("words", AnyText, nullable=False),  # title and author, without case
    Column("head", Text, nullable=False),  # JSON of codec.Head
    Index("ix_series_state_settles_at", "state", "settles_at"),
)

parts = Table(
    "parts",
    metadata,
    Column("series", AnyText, ForeignKey("series.key", ondelete="CASCADE"), primary_key=True),
    Column("name", AnyText, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # zlib of JSON of Message or Patch
)

members = Table(
    "members",
    metadata,
    Column("message", AnyText, primary_key=True),
    Column("series", AnyText, primary_key=True),
)

reviews = Table(
    "reviews",
    metadata,
    Column("series", AnyText, primary_key=True),
    Column("body", Text, nullable=False),  # JSON of Review without its findings
)

findings = Table(
    "findings",
    metadata,
    Column("series", AnyText, ForeignKey("reviews.series", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("rule", AnyText, nullable=False, index=True),
    Column("fingerprint", AnyText, nullable=False, index=True),
    Column("body", Text, nullable=False),  # JSON of Finding
)

UNFINISHED = text("state IN ('queued', 'sending')")

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True),  # in the order they were queued
    Column("key", AnyText, nullable=False, unique=True),
    Column("chat", AnyText, nullable=False),
    Column("channel", AnyText, nullable=False),
    Column("thread", AnyText, nullable=False),
    Column("card", Boolean, nullable=False),
    Column("page", Text, nullable=False),  # JSON of Page
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Moment),
    Column("remote_id", AnyText, nullable=False),
    Column("error", AnyText, nullable=False),
    Column("slot", AnyText, nullable=False, server_default=""),
    Column("about", Text, nullable=False, server_default="[]"),  # JSON list of fingerprints
    Column("broadcast", Boolean, nullable=False, server_default=false()),
    Column("queued_at", Moment),  # none for those from before it was kept
    Index("ix_deliveries_unfinished", "chat", "channel", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
    Index("ix_deliveries_thread", "thread"),
    Index("ix_deliveries_remote_id", "remote_id"),
    Index("ix_deliveries_state", "state"),
    Index("ix_deliveries_slot", "chat", "channel", "thread", "slot"),
)

events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("event", AnyText, nullable=False, unique=True),
)

triage = Table(
    "triage",
    metadata,
    Column("fingerprint", AnyText, primary_key=True),
    Column("rule", AnyText, nullable=False, index=True),
    Column("verdict", Text, nullable=False),
    Column("chat", AnyText, nullable=False),
    Column("who", AnyText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", AnyText, nullable=False),
)

mutes = Table(
    "mutes",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("chat", AnyText, nullable=False),
    Column("channel", AnyText, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pattern", AnyText, nullable=False),
    Column("by_chat", AnyText, nullable=False),
    Column("by", AnyText, nullable=False),
    Column("at", Moment, nullable=False),
    Column("until", Moment),
    Index("ix_mutes_chat_channel", "chat", "channel"),
    sqlite_autoincrement=True,  # a number that people saw is not given to another
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("chat", AnyText, nullable=False),
    Column("channel", AnyText, nullable=False),
    Column("words", AnyText, nullable=False),
    Column("by_chat", AnyText, nullable=False),
    Column("by", AnyText, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_subscriptions_chat_channel", "chat", "channel"),
    sqlite_autoincrement=True,  # a number that people saw is not given to another
)

channels = Table(
    "channels",
    metadata,
    Column("chat", AnyText, primary_key=True),
    Column("channel", AnyText, primary_key=True),
    Column("habits", Text, nullable=False),  # JSON of Habits
)

people = Table(
    "people",
    metadata,
    Column("chat", AnyText, primary_key=True),
    Column("who", AnyText, primary_key=True),
    Column("address", AnyText, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("chat", AnyText, nullable=False),
    Column("who", AnyText, nullable=False),
    Column("channel", AnyText, nullable=False),
    Column("words", AnyText, nullable=False),
    Column("outcome", AnyText, nullable=False),
    Column("at", Moment, nullable=False),
)

stirred = Table(
    "stirred",
    metadata,
    Column("thread", AnyText, primary_key=True),
    Column("due", Moment, nullable=False, index=True),
)

replicas = Table(
    "replicas",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("until", Moment, nullable=False),  # by the clock of the database
)

claims = Table(
    "claims",
    metadata,
    Column("kind", AnyText, primary_key=True),
    Column("name", AnyText, primary_key=True),
    Column("replica", AnyText, ForeignKey("replicas.name", ondelete="CASCADE"), nullable=False, index=True),
)

paces = Table(
    "paces",
    metadata,
    Column("chat", AnyText, primary_key=True),
    Column("channel", AnyText, primary_key=True),
    Column("paid", Moment, nullable=False),  # when all that was said there is paid off
)
