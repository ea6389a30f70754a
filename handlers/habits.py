"""Somebody changes how their channel is told: only its maintainers may, and each change says how to take it back."""

from __future__ import annotations

from collections.abc import Callable

from bot.model import Action, Ask, Habits, Page, Reply, Rhythm, Text
from handlers.audit import noted
from handlers.doors import Doors
from handlers.permits import channel_of, decide


async def habits_of(ask: Ask, doors: Doors) -> Habits:
    """How the channel of an ask is told now."""
    async with doors.store.transaction() as transaction:
        return await transaction.habits(ask.chat, channel_of(ask)) or Habits()


async def changed(
    ask: Ask, doors: Doors, verb: str, change: Callable[[Habits], Habits], spelled: Callable[[Habits], str]
) -> Reply:
    """Make a change, and say it in the words of the command that would make it.  Raises DeniedError."""
    await decide(ask, verb, doors)
    place = (ask.chat, channel_of(ask))
    async with doors.store.transaction() as transaction:
        before = await transaction.habits(*place) or Habits()
        after = change(before)
        await transaction.set_habits(*place, after)
        await noted(transaction, ask, verb, f"{verb} {spelled(after)}", doors.now())
    if spelled(before) == spelled(after):
        return Reply(Page(f"{verb} {spelled(after)}, as before"))
    undo = Action("Undo", f"{verb} {spelled(before)}")
    return Reply(Page(f"{verb} {spelled(after)}", parts=(Text(f"for {channel_of(ask)}"),), actions=(undo,)))


def spelled_digest(habits: Habits) -> str:
    """``weekly at 09:00 Europe/Berlin``."""
    if habits.digest is Rhythm.OFF:
        return "off"
    return f"{habits.digest.value} at {habits.digest_at:%H:%M} {habits.zone}"


def spelled_quiet(habits: Habits) -> str:
    """``22:00-06:00 Europe/Berlin``."""
    if habits.quiet_from is None or habits.quiet_to is None:
        return "off"
    return f"{habits.quiet_from:%H:%M}-{habits.quiet_to:%H:%M} {habits.zone}"


def switch(words: str) -> bool | None:
    """on, off, and what people say for them; None for anything else."""
    low = words.strip().lower()
    if low in {"on", "yes", "true", "1", "enable", "enabled"}:
        return True
    return False if low in {"off", "no", "false", "0", "disable", "disabled"} else None
