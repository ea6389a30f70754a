"""A mail came in: read it, stop if another list brought it before, and let its series grow."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.mail import patch as patches
from bot.mail import series as assembly
from bot.mail.parse import parse
from bot.model import Message, Patch, RawMail, Series, SeriesState, Unreadable
from bot.ports import Transaction
from bot.report import merge
from handlers.pull_merged import pull_merged


class Arrival(enum.StrEnum):
    """What became of a mail."""

    PATCH = "patch"
    MESSAGE = "message"  # a cover, a reply, or something that is no part of a series
    KNOWN = "known"  # its Message-ID was here before
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was opened: what it says, and the patch in it when there is one."""

    raw: RawMail
    message: Message
    patch: Patch | None = None


def opened(raw: RawMail) -> Letter | Unreadable:
    """Read one mail.  Pure and bound by the caps of the parser; a fault of ours is kept as a reason, never raised."""
    try:
        message = parse(raw)
        if isinstance(message, Unreadable):
            return message
        return Letter(raw, message, patches.of(message))
    except Exception as fault:  # noqa: BLE001  one crafted mail must not stop a feed
        reason = f"reading it failed: {type(fault).__name__}: {fault}"
        return Unreadable(f"{raw.feed} {raw.position}", reason, "please report it as a bug, with the mail attached")


async def mail_arrived(
    transaction: Transaction, letter: Letter | Unreadable, feed: str, now: datetime, patience: timedelta
) -> Arrival:
    """Save a mail and what it does to its series, inside the caller's transaction."""
    if isinstance(letter, Unreadable):
        await transaction.add_unreadable(letter, feed)
        return Arrival.UNREADABLE
    if await transaction.has_message(letter.message.id):
        return Arrival.KNOWN
    series = await _grown(transaction, letter, now, patience)
    if series is not None:
        await transaction.save_series(series)
        if series.state is SeriesState.REVIEWED:
            await transaction.stir(series.thread, now)
    elif letter.message.sender.email == merge.TRACKER:
        await pull_merged(transaction, letter.message, now)
    await transaction.add_message(letter.message, letter.raw, series.key if series else "")
    return Arrival.PATCH if letter.patch else Arrival.MESSAGE


async def _grown(transaction: Transaction, letter: Letter, now: datetime, patience: timedelta) -> Series | None:
    """The series that this mail belongs to, with the mail in it.

    A mail names its neighbours by id, but an earlier version of the work only by author, title or change-id.  What
    those are is known once the mail has a series, so the question is asked twice.
    """
    message = letter.message
    near = await transaction.series_of((message.id, *message.parents))
    # What a robot says of a patch that was taken carries the patch, and is an answer all the same.
    patch = None if near and merge.by_robot(message) else letter.patch
    series = assembly.add(near, message, patch, now, patience)
    if series is None:
        return None
    same = await transaction.series(series.key)  # parts that came before the mail they hang below
    others = (*((same,) if same else ()), *await transaction.kin(series))
    kin = {found.key: found for found in others if all(found.key != one.key for one in near)}
    return assembly.add((*near, *kin.values()), message, patch, now, patience) if kin else series
