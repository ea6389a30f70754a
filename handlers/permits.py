"""Who may: everyone reads and judges; what a channel is told, and what others muted, its maintainers decide."""

from __future__ import annotations

from bot.model import Ask
from bot.ports import ChatError
from handlers.audit import noted
from handlers.command import DeniedError
from handlers.doors import Doors
from handlers.policy import Maintainers

EVERYWHERE = "*"


def own(ask: Ask) -> str:
    """The channel that is this person's alone: their private talk with the bot."""
    return f"@{ask.who}"


def channel_of(ask: Ask) -> str:
    """The channel that an ask is about; what is said in no channel is about the person."""
    return ask.channel or own(ask)


async def decide(ask: Ask, verb: str, doors: Doors) -> None:
    """Raises DeniedError, and notes it, unless this person decides for the channel."""
    if channel_of(ask) == own(ask) or await maintains(ask.who, ask.chat, channel_of(ask), doors):
        return
    async with doors.store.transaction() as transaction:
        await noted(transaction, ask, verb, "denied", doors.now())
    raise DeniedError(f"Only maintainers of {channel_of(ask)} may do that: {await who_could(ask, doors)}.")


async def maintains(who: str, chat: str, channel: str, doors: Doors) -> bool:
    """Is somebody named for this channel, or in a group that is?"""
    for named in _of(channel, doors):
        if who in named.people:
            return True
        for group in named.groups:
            if who in await _members(chat, group, doors):
                return True
    return False


async def who_could(ask: Ask, doors: Doors) -> str:
    """The maintainers of the channel in words; how to name some when there are none."""
    named = _of(channel_of(ask), doors)
    people = dict.fromkeys(one for each in named for one in each.people)
    groups = dict.fromkeys(one for each in named for one in each.groups)
    words = [f"@{one}" for one in people] + [f"the members of {one}" for one in groups]
    return ", ".join(words) or "nobody is; an operator names them in the settings, under [[maintainers]]"


def _of(channel: str, doors: Doors) -> tuple[Maintainers, ...]:
    return tuple(one for one in doors.policy.maintainers if one.channel in {channel, EVERYWHERE})


async def _members(chat: str, group: str, doors: Doors) -> frozenset[str]:
    try:
        return await doors.members(chat, group)
    except ChatError as fault:
        raise DeniedError(f"Whether you may cannot be told just now: {fault}") from fault
