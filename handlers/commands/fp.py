"""fp: a finding is wrong; it is not told again."""

from __future__ import annotations

from bot.model import Ask, Reply, Verdict
from handlers.command import Command
from handlers.doors import Doors
from handlers.triage import judged


async def answer(ask: Ask, doors: Doors) -> Reply:
    return await judged(ask, doors, Verdict.FALSE_POSITIVE, COMMAND.usage)


COMMAND = Command(
    name="fp",
    usage="fp [FINDING] [REASON]",
    summary="Say that a finding is wrong: it is not told again, in no version; `reopen` takes it back.",
    examples=("fp aaaaaaaa the list is private there",),
    answer=answer,
    aliases=("false-positive", "falsepositive", "wrong", "invalid"),
)
