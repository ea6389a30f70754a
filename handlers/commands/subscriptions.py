"""subscriptions: what this channel hears of, how it is told, and what it muted."""

from __future__ import annotations

from bot.model import Action, Ask, Fields, Mute, Page, Reply
from bot.report.text import one_line
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.habits import habits_of, spelled_digest, spelled_quiet
from handlers.permits import channel_of, own


async def answer(ask: Ask, doors: Doors) -> Reply:
    if ask.words:
        raise UnclearError("`subscriptions` takes no words.")
    places = [(ask.chat, place) for place in dict.fromkeys((channel_of(ask), own(ask)))]
    async with doors.store.transaction() as transaction:
        wishes = await transaction.subscriptions()
        mutes = [mute for place in places for mute in await transaction.mutes(doors.now(), *place)]
    pairs = [
        (f"{one.number}: {'you' if one.channel == own(ask) else one.channel}", one.words)
        for one in wishes
        if (one.chat, one.channel) in places
    ]
    if not any(one.channel == channel_of(ask) for one in wishes):
        named = any((one.chat, one.channel) == places[0] for one in doors.policy.places)
        pairs.insert(0, (channel_of(ask), "everything, as the settings say" if named else "nothing"))
    pairs += [(f"mute {mute.number}", spelled(mute)) for mute in mutes]
    habits = await habits_of(ask, doors)
    pairs += [
        ("thread-only", "on" if habits.thread_only else "off"),
        ("every-series", "on" if habits.every_series else "off"),
        ("digest", spelled_digest(habits)),
        ("quiet-hours", spelled_quiet(habits)),
    ]
    ends = tuple(
        Action(f"End {one.number}", f"unsubscribe {one.number}")
        for one in wishes
        if (one.chat, one.channel) == places[0]
    )
    return Reply(Page(f"What {channel_of(ask)} hears of", parts=(Fields(tuple(pairs)),), actions=ends[:5]))


def spelled(mute: Mute) -> str:
    """``rule plain-del-on-rculist until 2026-11-30 09:00 UTC``."""
    end = f" until {mute.until:%Y-%m-%d %H:%M} UTC" if mute.until else ""
    return f"{mute.kind} {one_line(mute.pattern, 80)}{end}"


COMMAND = Command(
    name="subscriptions",
    usage="subscriptions",
    summary="What this channel and you hear of, how it is told, and what is muted.",
    examples=("subscriptions",),
    answer=answer,
    aliases=("subs", "mutes", "settings"),
)
