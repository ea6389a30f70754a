"""open: the findings that are open, in this thread, of some author, or everywhere."""

from __future__ import annotations

from datetime import timedelta

from bot.model import Ask, Reply
from bot.report.filters import FilterError, parse
from bot.report.listing import of_open
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.stories import stories_since
from handlers.telling import story_of

_LATELY = timedelta(days=120)


async def answer(ask: Ask, doors: Doors) -> Reply:
    try:
        filter_ = parse(ask.words)
    except FilterError as fault:
        raise UnclearError(str(fault)) from fault
    async with doors.store.transaction() as transaction:
        if ask.thread and not ask.words:
            stories = [await story_of(transaction, ask.thread)]
        else:
            stories = await stories_since(transaction, doors.now() - _LATELY)
    admitted = [story for story in stories if story.now and filter_.admits(story.now)]
    return Reply(of_open(admitted, filter_.bar(doors.policy.bar)))


COMMAND = Command(
    name="open",
    usage="open [FILTER]",
    summary="The findings that are open: in a thread, its own; elsewhere, those of the last four months.",
    examples=("open", "open author:ada arch:x86"),
    answer=answer,
    aliases=("todo", "findings"),
)
