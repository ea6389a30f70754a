"""subscribe: a channel, or a person, wants to hear of the series that a filter admits."""

from __future__ import annotations

from dataclasses import replace

from bot.model import Action, Ask, Page, Reply, Subscription, Text
from bot.report.filters import FIELDS, FilterError, parse
from handlers.audit import noted, person
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.permits import channel_of, decide, own

_ME = frozenset({"me", "myself"})


async def answer(ask: Ask, doors: Doors) -> Reply:
    first, _, rest = ask.words.partition(" ")
    if first.lower() in _ME:
        ask = replace(ask, channel=own(ask), words=rest.strip())
    try:
        filter_ = parse(ask.words)
    except FilterError as fault:
        raise UnclearError(f"{fault} `{COMMAND.usage}`") from fault
    if channel_of(ask) == own(ask) and ask.chat not in doors.policy.private:
        raise UnclearError(f"{ask.chat} has no talk with one person alone here; subscribe a channel instead.")
    await decide(ask, "subscribe", doors)
    place = (ask.chat, channel_of(ask))
    async with doors.store.transaction() as transaction:
        there = [one for one in await transaction.subscriptions() if (one.chat, one.channel) == place]
        if same := next((one for one in there if one.words == str(filter_)), None):
            return Reply(Page(f"{place[1]} hears of {filter_} already", actions=(_undo(same.number),)))
        wish = Subscription(*place, str(filter_), person(ask), doors.now())
        number = await transaction.add_subscription(wish)
        await noted(transaction, ask, "subscribe", f"subscribe {number}: {filter_}", doors.now())
    lines = [Text("It is told of series that settle from now on; `preview` shows what it would have been told.")]
    named = any((one.chat, one.channel) == place for one in doors.policy.places)
    if named and not there:
        lines.append(Text("Until now it heard of everything, as the settings say; now of what it subscribes to alone."))
    actions = (_undo(number), Action("Preview", f"preview {filter_} 7d"))
    return Reply(Page(f"{place[1]} hears of {filter_}", parts=tuple(lines), actions=actions))


def _undo(number: int) -> Action:
    return Action("Unsubscribe", f"unsubscribe {number}")


COMMAND = Command(
    name="subscribe",
    usage="subscribe [me] [FILTER]",
    summary=f"Tell this channel of series by {', '.join(FIELDS)}, or not by them. `me` is for everyone.",
    examples=(
        "subscribe list:kvm path:arch/x86/kvm not author:bot@",
        "subscribe arch:arm64 level:error",
        "subscribe me author:ada@example.org",
    ),
    answer=answer,
    aliases=("sub", "follow", "watch"),
)
