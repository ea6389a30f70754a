"""Triage, mutes, subscriptions and the audit table; messages that can be edited after they were posted."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    _editable_messages()
    op.create_table(
        "triage",
        *(_text(name) for name in ("fingerprint", "rule", "verdict", "chat", "who")),
        sa.Column("at", sa.DateTime(), nullable=False),
        _text("reason"),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_triage"),
    )
    op.create_index("ix_triage_rule", "triage", ["rule"])
    op.create_table(
        "mutes",
        sa.Column("id", SERIAL, nullable=False),
        *(_text(name) for name in ("chat", "channel", "kind", "pattern", "by_chat", "by")),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mutes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mutes_chat_channel", "mutes", ["chat", "channel"])
    op.create_table(
        "subscriptions",
        sa.Column("id", SERIAL, nullable=False),
        *(_text(name) for name in ("chat", "channel", "words", "by_chat", "by")),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscriptions_chat_channel", "subscriptions", ["chat", "channel"])
    op.create_table(
        "channels",
        *(_text(name) for name in ("chat", "channel", "habits")),
        sa.PrimaryKeyConstraint("chat", "channel", name="pk_channels"),
    )
    op.create_table(
        "people",
        *(_text(name) for name in ("chat", "who", "address")),
        sa.PrimaryKeyConstraint("chat", "who", name="pk_people"),
    )
    op.create_table(
        "audit",
        sa.Column("id", SERIAL, nullable=False),
        *(_text(name) for name in ("chat", "who", "channel", "words", "outcome")),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "stirred",
        _text("thread"),
        sa.Column("due", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("thread", name="pk_stirred"),
    )
    op.create_index("ix_stirred_due", "stirred", ["due"])


def _editable_messages() -> None:
    """Replies used to name what they speak of in their keys alone."""
    for column in (
        sa.Column("slot", sa.Text(), nullable=False, server_default=""),
        sa.Column("about", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("broadcast", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("deliveries", column)
    table = sa.table(
        "deliveries", sa.column("id"), sa.column("key"), sa.column("card"), sa.column("slot"), sa.column("about")
    )
    connection = op.get_bind()
    for number, key, card in connection.execute(sa.select(table.c.id, table.c.key, table.c.card)).all():
        name = "" if card else str(key).rpartition("/reply/")[2]
        about = [name.partition("@")[0].rstrip("+")] if name else []
        slot = "card" if card else f"reply/{name}"
        values = {"slot": slot, "about": json.dumps(about)}
        connection.execute(table.update().where(table.c.id == number).values(values))
    op.create_index("ix_deliveries_slot", "deliveries", ["chat", "channel", "thread", "slot"])
