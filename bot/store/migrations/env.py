"""Runs migrations on the connection that bot.store.migrate hands over."""

from __future__ import annotations

from alembic import context

from bot.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # the caller's transaction: a broken upgrade leaves the old schema
    render_as_batch=True,
)
context.run_migrations()
