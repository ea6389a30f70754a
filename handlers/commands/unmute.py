"""unmute: a channel hears again of what was muted."""

from __future__ import annotations

from bot.model import Action, Ask, Mute, MuteKind, Page, Reply
from bot.report.text import one_line
from handlers.audit import noted, person
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.permits import channel_of, decide


async def answer(ask: Ask, doors: Doors) -> Reply:
    place = (ask.chat, channel_of(ask))
    async with doors.store.transaction() as transaction:
        there = await transaction.mutes(doors.now(), *place)
        mute = _meant(ask, there)
    if mute.who != person(ask):
        await decide(ask, "unmute", doors)
    async with doors.store.transaction() as transaction:
        await transaction.drop_mute(mute.number)
        if mute.kind is MuteKind.SERIES:
            await transaction.stir(mute.pattern, doors.now())
        await noted(transaction, ask, "unmute", f"unmute {mute.number}: {mute.kind} {mute.pattern}", doors.now())
    undo = () if mute.kind is MuteKind.SERIES and not ask.thread else (Action("Undo", _again(mute)),)
    return Reply(Page(f"Unmuted {mute.kind} {one_line(mute.pattern, 80)}", actions=undo))


def _again(mute: Mute) -> str:
    return "mute series" if mute.kind is MuteKind.SERIES else f"mute {mute.kind} {mute.pattern}"


def _meant(ask: Ask, there: tuple[Mute, ...]) -> Mute:
    """The mute with this number or pattern; in a thread without words, the one of its series."""
    words = ask.words.strip().strip("#\"'`")
    kind, _, rest = words.partition(" ")
    wanted = {words, rest} if kind in set(MuteKind) else {words}
    for mute in reversed(there):
        own = not words or words == "series"
        if (
            str(mute.number) in wanted
            or mute.pattern in wanted - {""}
            or (own and ask.thread and mute.pattern == ask.thread)
        ):
            return mute
    listed = ", ".join(f"{mute.number} ({mute.kind} {one_line(mute.pattern, 40)})" for mute in there[:20])
    raise UnclearError(f"Unmute what? Muted here: {listed or 'nothing'}.")


COMMAND = Command(
    name="unmute",
    usage="unmute NUMBER|PATTERN",
    summary="Hear again of what was muted. Your own mutes; those of others only as a maintainer.",
    examples=("unmute 1", "unmute plain-del-on-rculist"),
    answer=answer,
    aliases=("unsilence", "unsnooze"),
)
