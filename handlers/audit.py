"""Who did what: a line of the audit table for everything that somebody changed, or was not allowed to."""

from __future__ import annotations

from datetime import datetime

from bot.model import Ask, Deed, Person
from bot.ports import Transaction
from bot.report.text import one_line


def person(ask: Ask) -> Person:
    return Person(ask.chat, ask.who)


async def noted(transaction: Transaction, ask: Ask, verb: str, outcome: str, now: datetime) -> None:
    """Note what an ask did, in the transaction that does it."""
    words = one_line(f"{verb} {ask.words}".strip(), 500)
    await transaction.note_deed(Deed(person(ask), ask.channel, words, one_line(outcome, 500), now))
