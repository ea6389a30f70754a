"""show: a series as a channel sees it: its card, and each finding with what became of it."""

from __future__ import annotations

from bot.model import Ask, Page, Quiet, Reply, Series, Text
from bot.ports import Transaction
from bot.report.alert import View, as_told, compose
from bot.report.text import one_line
from handlers.command import Command, UnclearError
from handlers.commands.check import message_id
from handlers.doors import Doors
from handlers.telling import story_of


async def answer(ask: Ask, doors: Doors) -> Reply:
    async with doors.store.transaction() as transaction:
        series = await _series(transaction, ask)
        story = await story_of(transaction, series.thread)
    seen = compose(story, View(chat=ask.chat, bar=doors.policy.bar, told=as_told(story), followed=True))
    if isinstance(seen, Quiet):
        return Reply(Page(f"{one_line(series.title, 120)} v{series.version} was not reviewed yet"))
    parts = [
        part
        for reply in seen.replies
        for part in (Text(f"{reply.page.level or 'gone'}: {reply.page.headline}"), *reply.page.parts)
    ]
    return Reply(
        Page(seen.card.headline, seen.card.link, seen.card.level, (*seen.card.parts, *parts), seen.card.actions)
    )


async def _series(transaction: Transaction, ask: Ask) -> Series:
    words = ask.words.strip()
    if not words and ask.thread:
        versions = await transaction.versions(ask.thread)
        if versions:
            return versions[-1]
    if not words:
        raise UnclearError(f"Which series? `{COMMAND.usage}`.")
    try:
        known = await transaction.series_of((message_id(words),))
    except UnclearError:
        known = await transaction.recent_series(2, words)
        if len(known) > 1 and len({one.thread for one in known}) > 1:
            raise UnclearError(f"More than one series has {words[:60]!r}; `series {words[:60]}` lists them.") from None
    if not known:
        raise UnclearError(f"No series has {words[:60]!r} in its title or author, and no mail is called so.")
    return max(known, key=lambda one: one.version)


COMMAND = Command(
    name="show",
    usage="show [MESSAGE-ID|LORE-ADDRESS|WORDS]",
    summary="A series as it stands: its card, and each finding with what became of it.",
    examples=("show v1-1@example.org", "show walk devices"),
    answer=answer,
    aliases=("card", "view"),
)
