"""thread-only: whether warnings stay in their threads, or are shown in the channel, too."""

from __future__ import annotations

from dataclasses import replace

from bot.model import Ask, Habits, Page, Reply
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.habits import changed, habits_of, switch


async def answer(ask: Ask, doors: Doors) -> Reply:
    if not ask.words:
        return Reply(Page(f"thread-only {_spelled(await habits_of(ask, doors))}"))
    wanted = switch(ask.words)
    if wanted is None:
        raise UnclearError(
            f"`{COMMAND.usage}`: on, and warnings stay in their threads; off, and the channel sees them."
        )
    return await changed(ask, doors, "thread-only", lambda habits: replace(habits, thread_only=wanted), _spelled)


def _spelled(habits: Habits) -> str:
    return "on" if habits.thread_only else "off"


COMMAND = Command(
    name="thread-only",
    usage="thread-only [on|off]",
    summary="On: warnings stay in their threads. Off: the channel sees new ones, too. Maintainers only.",
    examples=("thread-only", "thread-only off"),
    answer=answer,
    aliases=("threadonly", "threads"),
)
