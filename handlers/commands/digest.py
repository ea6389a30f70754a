"""digest: a daily or weekly summary for a channel, at its own time; without words, the one of the last day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from bot.model import Ask, Habits, Reply, Rhythm
from bot.report.hours import clock_time, digest_day, zone
from handlers.command import Command, UnclearError
from handlers.digest_due import digest_between
from handlers.doors import Doors
from handlers.habits import changed, habits_of, spelled_digest
from handlers.permits import channel_of

_RHYTHMS = {
    "on": Rhythm.DAILY, "daily": Rhythm.DAILY, "day": Rhythm.DAILY, "weekly": Rhythm.WEEKLY, "week": Rhythm.WEEKLY,
    "off": Rhythm.OFF, "none": Rhythm.OFF, "no": Rhythm.OFF,
}  # fmt: skip


async def answer(ask: Ask, doors: Doors) -> Reply:
    if not ask.words:
        async with doors.store.transaction() as transaction:
            end = doors.now()
            place = (ask.chat, channel_of(ask))
            page = await digest_between(transaction, doors.policy, *place, end - timedelta(days=1), end)
        return Reply(replace(page, headline=f"{page.headline}; the channel's own: {await _now(ask, doors)}"))
    change = _read(ask.words.split())

    def begun(habits: Habits) -> Habits:
        # The one that is due today was not asked for when it was.
        after = change(habits)
        return replace(after, told_on=digest_day(replace(after, told_on=None), doors.now()))

    return await changed(ask, doors, "digest", begun, spelled_digest)


async def _now(ask: Ask, doors: Doors) -> str:
    return spelled_digest(await habits_of(ask, doors))


def _read(words: list[str]) -> Callable[[Habits], Habits]:
    """``[on|off|daily|weekly] [at] [TIME] [ZONE]``, in any order.  Raises UnclearError."""
    changes: dict[str, object] = {}
    for word in words:
        if word.lower() in {"at", "in", "every"}:
            continue
        if word.lower() in _RHYTHMS:
            changes["digest"] = _RHYTHMS[word.lower()]
        elif (at := clock_time(word)) is not None:
            changes["digest_at"] = at
        elif zone(word) is not None:
            changes["zone"] = word
        else:
            raise UnclearError(f"{word[:40]!r} is no time, no time zone and no rhythm; `{COMMAND.usage}`.")

    def change(habits: Habits) -> Habits:
        # Whoever names a time wants one.
        on = {} if "digest" in changes or habits.digest is not Rhythm.OFF else {"digest": Rhythm.DAILY}
        return replace(habits, **on, **changes)  # type: ignore[arg-type]

    return change


COMMAND = Command(
    name="digest",
    usage="digest [daily|weekly|off] [at TIME] [ZONE]",
    summary="What came in and what is open, daily or on Mondays; without words, of the last day. Maintainers only.",
    examples=("digest", "digest weekly at 9:00 Europe/Berlin", "digest off"),
    answer=answer,
    aliases=("summary", "daily", "weekly"),
)
