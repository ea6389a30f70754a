"""quiet-hours: when a channel is told nothing new; it comes when they are over."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.model import Ask, Page, Reply
from bot.report.hours import clock_time, zone
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.habits import changed, habits_of, spelled_quiet, switch

_SPAN = re.compile(r"(\S{1,8}?)\s?(?:-|–|to|until)\s?(\S{1,8})(?:\s(?:in\s)?(\S{1,40}))?", re.IGNORECASE)


async def answer(ask: Ask, doors: Doors) -> Reply:
    if not ask.words:
        return Reply(Page(f"quiet-hours {spelled_quiet(await habits_of(ask, doors))}"))
    if switch(ask.words) is False:
        off = lambda habits: replace(habits, quiet_from=None, quiet_to=None)  # noqa: E731
        return await changed(ask, doors, "quiet-hours", off, spelled_quiet)
    found = _SPAN.fullmatch(ask.words.strip())
    start, end = (clock_time(found[1]), clock_time(found[2])) if found else (None, None)
    if found is None or start is None or end is None or start == end:
        raise UnclearError(f"`{COMMAND.usage}`, such as `quiet-hours 22:00-6:00 Europe/Berlin`.")
    if found[3] and zone(found[3]) is None:
        raise UnclearError(f"There is no time zone {found[3]!r}; write one such as Europe/Berlin or UTC.")
    name = found[3]
    return await changed(
        ask,
        doors,
        "quiet-hours",
        lambda habits: replace(habits, quiet_from=start, quiet_to=end, zone=name or habits.zone),
        spelled_quiet,
    )


COMMAND = Command(
    name="quiet-hours",
    usage="quiet-hours [FROM-TO [ZONE]|off]",
    summary="When the channel is told nothing new; what came meanwhile follows at their end. Maintainers only.",
    examples=("quiet-hours", "quiet-hours 22:00-6:00 Europe/Berlin", "quiet-hours off"),
    answer=answer,
    aliases=("quiet", "quiethours", "dnd"),
)
