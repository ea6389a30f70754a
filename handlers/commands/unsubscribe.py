"""unsubscribe: a channel, or a person, does not want to hear any more of what a filter admits."""

from __future__ import annotations

from dataclasses import replace

from bot.model import Action, Ask, Page, Reply, Subscription
from handlers.audit import noted
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.permits import channel_of, decide, own


async def answer(ask: Ask, doors: Doors) -> Reply:
    first, _, rest = ask.words.partition(" ")
    mine = first.lower() in {"me", "myself"}
    if mine:
        ask = replace(ask, channel=own(ask), words=rest.strip())
    place = (ask.chat, channel_of(ask))
    async with doors.store.transaction() as transaction:
        there = [one for one in await transaction.subscriptions() if (one.chat, one.channel) == place]
    gone = _meant(ask.words.strip(), there)
    await decide(ask, "unsubscribe", doors)
    async with doors.store.transaction() as transaction:
        for one in gone:
            await transaction.drop_subscription(one.number)
            await noted(transaction, ask, "unsubscribe", f"unsubscribe {one.number}: {one.words}", doors.now())
    me = "me " if mine else ""
    undo = tuple(Action("Undo", f"subscribe {me}{one.words}") for one in gone)
    return Reply(Page(f"{place[1]} hears no more of {', '.join(one.words for one in gone)}", actions=undo))


def _meant(words: str, there: list[Subscription]) -> list[Subscription]:
    if words.lower() in {"all", "everything", ""} and (words or len(there) == 1) and there:
        return there
    found = [one for one in there if words.strip("#") == str(one.number) or words == one.words]
    if found:
        return found
    listed = ", ".join(f"{one.number} ({one.words})" for one in there[:20])
    raise UnclearError(f"Unsubscribe from what? `{COMMAND.usage}`: {listed or 'there is no subscription here'}.")


COMMAND = Command(
    name="unsubscribe",
    usage="unsubscribe [me] NUMBER|all",
    summary="End a subscription of this channel, or one of yours. Maintainers only.",
    examples=("unsubscribe 1", "unsubscribe all"),
    answer=answer,
    aliases=("unsub", "unfollow", "unwatch"),
)
