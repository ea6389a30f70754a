"""check: review a series as it is now, by the Message-ID or lore address of any of its mails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

from bot.model import Ask, Page, Reply, Series, Text
from bot.ports import Archive, FeedError
from bot.report import summary
from bot.report.text import one_line
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.fetched import series_in

_MESSAGE_ID = re.compile(r"[^\s<>@]{1,500}@[^\s<>@/]{1,250}")


async def answer(ask: Ask, doors: Doors) -> Reply:
    try:
        series = await _series(ask, doors)
    except FeedError as fault:
        return Reply(Page("The thread cannot be fetched.", parts=(Text(str(fault)),)))
    if series is None:
        return Reply(_unknown(ask.words))
    return Reply(summary.one_page(series, await doors.review(series)))


async def _series(ask: Ask, doors: Doors) -> Series | None:
    if not ask.words and ask.thread:
        async with doors.store.transaction() as transaction:
            versions = await transaction.versions(ask.thread)
        return versions[-1] if versions else None
    wanted = message_id(ask.words)
    async with doors.store.transaction() as transaction:
        known = await transaction.series_of((wanted,))
    found = _meant(known, wanted)
    return found if found or doors.archive is None else await _fetched(ask.words, wanted, doors.archive)


def _meant(known: Sequence[Series], wanted: str) -> Series | None:
    """A reply may belong to several; the newest version is the one people talk about."""
    whole = [series for series in known if wanted in series.message_ids]
    return max(whole or known, key=lambda series: series.version, default=None)


async def _fetched(words: str, wanted: str, archive: Archive) -> Series | None:
    """A series that came in by no feed.  Raises FeedError."""
    text = words.strip().strip("<>")
    mails = await archive.fetch(text if text.startswith(("http://", "https://")) else wanted)
    return _meant(await asyncio.to_thread(series_in, mails, datetime.now(UTC)), wanted)


def message_id(words: str) -> str:
    """The Message-ID in ``<id@host>``, ``id:id@host`` or an address such as https://lore.kernel.org/kvm/id@host/T/.

    Raises UnclearError when there is none.
    """
    text = words.strip().strip("<>").removeprefix("id:").removeprefix("mid:")
    places = re.split(r"[/?#]", text)[3:] if text.startswith(("http://", "https://")) else [text]
    for place in places:
        if found := _MESSAGE_ID.fullmatch(unquote(place)):
            return found[0]
    raise UnclearError(f"Which mail? `{COMMAND.usage}`, with a Message-ID such as 20260304.1234@example.org.")


def _unknown(words: str) -> Page:
    return Page(
        f"No mail {one_line(words, 120)} has come in.",
        parts=(
            Text("None of the feeds, which `status` names, brought it, and no configured archive has it."),
            Text("Save the thread as an mbox, and run `gracewatch check FILE`."),
        ),
    )


COMMAND = Command(
    name="check",
    usage="check [MESSAGE-ID|LORE-ADDRESS]",
    summary="Review a series now; in its thread, the newest version there.",
    examples=(
        "check 20260304.1234-1-ada@example.org",
        "check https://lore.kernel.org/kvm/20260304.1234-1-ada@example.org/",
    ),
    answer=answer,
    aliases=("review", "scan", "recheck"),
)
