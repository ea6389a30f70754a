"""ack: a finding was seen and is taken care of."""

from __future__ import annotations

from bot.model import Ask, Reply, Verdict
from handlers.command import Command
from handlers.doors import Doors
from handlers.triage import judged


async def answer(ask: Ask, doors: Doors) -> Reply:
    return await judged(ask, doors, Verdict.ACK, COMMAND.usage)


COMMAND = Command(
    name="ack",
    usage="ack [FINDING] [REASON]",
    summary="Say that a finding is right and seen to; `reopen` takes it back.",
    examples=("ack aaaaaaaa", "ack aaaaaaaa v4 will have it"),
    answer=answer,
    aliases=("acknowledge", "acked", "right", "useful"),
)
