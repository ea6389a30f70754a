"""every-series: whether a channel gets a card for each series, also where nothing was found."""

from __future__ import annotations

from dataclasses import replace

from bot.model import Ask, Habits, Page, Reply
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.habits import changed, habits_of, switch


async def answer(ask: Ask, doors: Doors) -> Reply:
    if not ask.words:
        return Reply(Page(f"every-series {_spelled(await habits_of(ask, doors))}"))
    wanted = switch(ask.words)
    if wanted is None:
        raise UnclearError(
            f"`{COMMAND.usage}`: on, and each series has a card; off, and only those with findings have."
        )
    return await changed(ask, doors, "every-series", lambda habits: replace(habits, every_series=wanted), _spelled)


def _spelled(habits: Habits) -> str:
    return "on" if habits.every_series else "off"


COMMAND = Command(
    name="every-series",
    usage="every-series [on|off]",
    summary="On: a card for each series that the channel subscribes to, findings or not. Maintainers only.",
    examples=("every-series", "every-series on"),
    answer=answer,
    aliases=("all-series", "verbose"),
)
