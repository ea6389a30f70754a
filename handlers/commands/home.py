"""home: what a person wants to see first: what is watched, what came in last, and where to go from there."""

from __future__ import annotations

from bot.model import Action, Ask, Fields, Page, Reply, Text
from bot.report import links
from bot.report.card import count
from bot.report.text import one_line
from handlers.command import Command, UnclearError
from handlers.doors import Doors

_SHOWN = 5


async def answer(ask: Ask, doors: Doors) -> Reply:
    if ask.words:
        raise UnclearError("`home` takes no words.")
    async with doors.store.transaction() as transaction:
        counts = await transaction.counts()
        series = await transaction.recent_series(_SHOWN)
        reviews = [await transaction.review(one.key) for one in series]
    lines = [
        f"{one_line(one.title, 120)} v{one.version}: {count(len(review.findings), 'finding') if review else one.state}"
        f" · {links.of_series(one)}"
        for one, review in zip(series, reviews, strict=True)
    ]
    about = Fields((*doors.about(), ("series reviewed", f"{counts['reviewed']:,}")))
    shown = [Text("The last series"), *(Text(line, quiet=True) for line in lines)] if lines else [Text("None so far.")]
    actions = (Action("Rules", "rules"), Action("Status", "status"), Action("Help", "help"))
    return Reply(Page("gracewatch", parts=(about, *shown), actions=actions))


COMMAND = Command(
    name="home",
    usage="home",
    summary="What is watched and what came in last, as on the bot's own page in chat.",
    examples=("home",),
    answer=answer,
)
