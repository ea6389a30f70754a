"""whoami: who you are to gracewatch, what you may do here, and which address your patches come from."""

from __future__ import annotations

import re

from bot.model import Action, Ask, Fields, Page, Reply
from handlers.audit import noted, person
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.permits import channel_of, maintains, own, who_could

_ADDRESS = re.compile(r"[^\s<>@,;\"]{1,64}@[^\s<>@,;\"]{1,190}")
_FORGET = frozenset({"forget", "nobody", "none", "-"})


async def answer(ask: Ask, doors: Doors) -> Reply:
    words = ask.words.strip().strip("<>")
    if words.lower() in _FORGET:
        words = ""
    elif words and not _ADDRESS.fullmatch(words):
        raise UnclearError(f"`{COMMAND.usage}`: the address that you send patches from, or `forget`.")
    if ask.words:
        async with doors.store.transaction() as transaction:
            before = await transaction.address_of(person(ask))
            await transaction.set_address(person(ask), words.lower())
            await noted(transaction, ask, "whoami", f"whoami {words.lower() or 'forget'}", doors.now())
        undo = Action("Undo", f"whoami {before or 'forget'}")
        return Reply(Page(f"Your patches come from {words.lower() or 'nowhere'}", actions=(undo,)))
    async with doors.store.transaction() as transaction:
        address = await transaction.address_of(person(ask))
    here = channel_of(ask)
    may = here == own(ask) or await maintains(ask.who, ask.chat, here, doors)
    pairs = (
        ("you", f"{ask.who} in {ask.chat}"),
        ("address", address or "unknown; `whoami ada@example.org` tells it, and `home` shows your patches"),
        ("may", "read, judge findings, subscribe for yourself" + (f", and decide for {here}" if may else "")),
        ("decide here", "you do" if here == own(ask) else await who_could(ask, doors)),
    )
    return Reply(Page("Who you are", parts=(Fields(pairs),)))


COMMAND = Command(
    name="whoami",
    usage="whoami [ADDRESS|forget]",
    summary="Who you are to gracewatch and what you may do here; with an address, whose patches are yours.",
    examples=("whoami", "whoami ada@example.org"),
    answer=answer,
    aliases=("me", "who"),
)
