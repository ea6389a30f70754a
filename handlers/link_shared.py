"""Somebody pasted an address of mail where the bot is: say what is known of its series, and fetch nothing."""

from __future__ import annotations

from bot.model import Page
from bot.ports import Store, StoreError
from bot.report import verdict
from handlers.command import UnclearError
from handlers.commands.check import message_id
from handlers.telling import story_of


async def link_shared(address: str, store: Store) -> Page | None:
    """The verdict on the series that the mail belongs to; None when no feed brought it."""
    try:
        wanted = message_id(address)
        async with store.transaction() as transaction:
            known = await transaction.series_of((wanted,))
            series = max(known, key=lambda one: one.version, default=None)
            story = await story_of(transaction, series.thread) if series else None
    except (UnclearError, StoreError):
        return None  # nobody asked, so nobody is told
    return verdict.page(story, series) if story and series else None
