"""home: what a person wants to see first: their open findings and subscriptions, mutes, rules, and what came in."""

from __future__ import annotations

from datetime import timedelta

from bot.model import Action, Ask, Code, Fields, Page, Reply, Series, Text
from bot.ports import Transaction
from bot.report import links, precision
from bot.report.card import count
from bot.report.listing import of_open
from bot.report.text import one_line
from handlers.audit import person
from handlers.command import Command, UnclearError
from handlers.commands.subscriptions import spelled
from handlers.doors import Doors
from handlers.permits import own
from handlers.stories import stories_since

_LATELY = timedelta(days=120)
_SHOWN = 5
_MOST = 10


async def answer(ask: Ask, doors: Doors) -> Reply:
    if ask.words:
        raise UnclearError("`home` takes no words.")
    async with doors.store.transaction() as transaction:
        mine = await _mine(transaction, ask, doors)
        wishes = await _wishes(transaction, ask, doors)
        figures = precision.by_rule(await transaction.tallies())
        last = await _last(transaction)
    parts: list[Text | Fields] = [Text("Findings in your patches"), *mine]
    parts += [Text("What you hear of, and what is muted"), *wishes]
    if figures:
        worst = sorted(figures.items(), key=lambda pair: (pair[1].share, pair[0]))[:_MOST]
        parts += [Text("Rules, by what people found"), Fields(tuple((rule, str(one)) for rule, one in worst))]
    parts += [Text("The last series"), *(last or [Text("None so far.", quiet=True)])]
    parts.append(Fields(tuple(doors.about())))
    actions = (
        Action("Open findings", "open"),
        Action("Subscribe me…", "subscribe me", asks="To what? Such as: list:kvm path:arch/x86/kvm not author:bot"),
        Action("Rules", "rules"),
        Action("Status", "status"),
        Action("Help", "help"),
    )
    return Reply(Page("gracewatch", parts=tuple(parts), actions=actions))


async def _mine(transaction: Transaction, ask: Ask, doors: Doors) -> list[Text | Fields]:
    address = await transaction.address_of(person(ask))
    if not address:
        return [Text("Say `whoami` with the address that you send patches from, and they are listed here.", quiet=True)]
    stories = await stories_since(transaction, doors.now() - _LATELY)
    own_ones = [story for story in stories if story.now and story.now.author.email == address]
    page = of_open(own_ones, doors.policy.bar)
    return [Text(f"{page.headline} ({address})", quiet=True), *(one for one in page.parts if not isinstance(one, Code))]


async def _wishes(transaction: Transaction, ask: Ask, doors: Doors) -> list[Text | Fields]:
    pairs = [
        (f"subscription {one.number}", one.words)
        for one in await transaction.subscriptions()
        if (one.chat, one.channel) == (ask.chat, own(ask))
    ]
    pairs += [
        (f"mute {mute.number}, {mute.channel}", spelled(mute))
        for mute in await transaction.mutes(doors.now())
        if mute.who == person(ask) or mute.channel == own(ask)
    ]
    return [Fields(tuple(pairs[: 2 * _MOST]))] if pairs else [Text("Nothing of your own.", quiet=True)]


async def _last(transaction: Transaction) -> list[Text]:
    series = await transaction.recent_series(_SHOWN)
    reviews = [await transaction.review(one.key) for one in series]
    return [
        Text(_line(one, len(review.findings) if review else None), quiet=True)
        for one, review in zip(series, reviews, strict=True)
    ]


def _line(series: Series, findings: int | None) -> str:
    found = series.state.value if findings is None else count(findings, "finding")
    return f"{one_line(series.title, 120)} v{series.version}: {found} · {links.of_series(series)}"


COMMAND = Command(
    name="home",
    usage="home",
    summary="Your open findings, subscriptions and mutes, how rules fare, and what came in last.",
    examples=("home",),
    answer=answer,
)
