"""Replicas, what each of them holds, and how fast channels were spoken in by all of them together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replicas",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_replicas"),
    )
    op.create_table(
        "claims",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["replica"], ["replicas.name"], name="fk_claims_replica", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_claims"),
    )
    op.create_index("ix_claims_replica", "claims", ["replica"])
    op.create_table(
        "paces",
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("paid", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("chat", "channel", name="pk_paces"),
    )
