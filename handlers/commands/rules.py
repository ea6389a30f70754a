"""rules: all rules, each with the fault it looks for and how often it was right."""

from __future__ import annotations

from bot.model import Ask, Reply
from bot.report import explain, precision
from handlers.command import Command, UnclearError
from handlers.doors import Doors


async def answer(ask: Ask, doors: Doors) -> Reply:
    if ask.words:
        raise UnclearError("`rules` takes no words; `explain RULE` shows one of them.")
    async with doors.store.transaction() as transaction:
        figures = precision.by_rule(await transaction.tallies())
    return Reply(explain.index(doors.rules(), figures))


COMMAND = Command(
    name="rules",
    usage="rules",
    summary="All rules, each with the fault it looks for, and how often people found it right.",
    examples=("rules", "rules --here"),
    answer=answer,
    aliases=("list", "catalogue", "catalog"),
)
