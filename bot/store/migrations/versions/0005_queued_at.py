"""When a page was queued: how long the oldest of them waits is what operators ask."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("queued_at", sa.DateTime(), nullable=True))
