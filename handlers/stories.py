"""The stories that people ask for lists of: threads with findings, as a channel would see them."""

from __future__ import annotations

from datetime import datetime

from bot.ports import Transaction
from bot.report.alert import View, heard
from bot.report.bar import Bar
from bot.report.story import Story
from handlers.telling import story_of

MOST = 100  # threads: some months of mail


async def stories_since(transaction: Transaction, since: datetime, limit: int = MOST) -> list[Story]:
    """Threads that came in since then and have a review with findings, the newest first."""
    return [await story_of(transaction, thread) for thread in await transaction.threads_with_findings(since, limit)]


def with_open(stories: list[Story], bar: Bar) -> list[Story]:
    """Those in which something over the bar is open."""
    return [story for story in stories if heard(story, View(bar=bar)).open]
