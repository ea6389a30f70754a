"""rules: all rules, each with the fault it looks for."""

from __future__ import annotations

from bot.model import Ask, Reply
from bot.report import explain
from handlers.command import Command, UnclearError
from handlers.doors import Doors


async def answer(ask: Ask, doors: Doors) -> Reply:
    if ask.words:
        raise UnclearError("`rules` takes no words; `explain RULE` shows one of them.")
    return Reply(explain.index(doors.rules()))


COMMAND = Command(
    name="rules",
    usage="rules",
    summary="All rules, each with the fault it looks for.",
    examples=("rules", "rules --here"),
    answer=answer,
    aliases=("list", "catalogue", "catalog"),
)
