"""wontfix: a finding is right and will stay; it is not told again."""

from __future__ import annotations

from bot.model import Ask, Reply, Verdict
from handlers.command import Command
from handlers.doors import Doors
from handlers.triage import judged


async def answer(ask: Ask, doors: Doors) -> Reply:
    return await judged(ask, doors, Verdict.WONT_FIX, COMMAND.usage)


COMMAND = Command(
    name="wontfix",
    usage="wontfix [FINDING] [REASON]",
    summary="Say that a finding will stay as it is: it is not told again; `reopen` takes it back.",
    examples=("wontfix aaaaaaaa debugfs only",),
    answer=answer,
    aliases=("wont-fix", "ignore", "dismiss", "intended"),
)
