"""reopen: take back what was said of a finding."""

from __future__ import annotations

from bot.model import Ask, Reply
from handlers.command import Command
from handlers.doors import Doors
from handlers.triage import reopened


async def answer(ask: Ask, doors: Doors) -> Reply:
    return await reopened(ask, doors, COMMAND.usage)


COMMAND = Command(
    name="reopen",
    usage="reopen [FINDING]",
    summary="Take back what was said of a finding, whoever said it.",
    examples=("reopen aaaaaaaa",),
    answer=answer,
    aliases=("unack", "undo", "restore"),
)
