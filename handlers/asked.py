"""Somebody said something to the bot, or in one of its threads: find the command in the words and let it answer."""

from __future__ import annotations

from dataclasses import replace

from bot.model import Ask, Page, Reply, Text
from bot.ports import StoreError
from handlers.command import DeniedError, UnclearError
from handlers.doors import Doors
from handlers.verbs import command, spoken

HERE = "--here"
_LONGEST = 1000


async def asked(ask: Ask, doors: Doors) -> Reply | None:
    """The answer, private unless the words hold ``--here``; None when these words want none.

    Words that were not said to the bot are answered only in the thread of a series, and only when they begin with a
    command's own name: people who say "right" or "ignore that" to each other judge nothing.
    """
    try:
        async with doors.store.transaction() as transaction:
            thread = await transaction.thread_at(ask.chat, ask.channel, ask.place) if ask.place else ask.thread
            if not (ask.addressed or thread):
                return None
            if ask.event and await transaction.seen_event(f"{ask.chat} {ask.event}"):
                return None
        return await _answered(replace(ask, thread=thread), doors)
    except UnclearError as fault:
        return Reply(Page(str(fault), parts=(Text("Add --here to let everyone see the answer.", quiet=True),)))
    except DeniedError as fault:
        return Reply(Page(str(fault)))
    except StoreError as fault:
        return Reply(Page("The store cannot be used just now.", parts=(Text(str(fault)),)))


async def _answered(ask: Ask, doors: Doors) -> Reply | None:
    said = ask.words[:_LONGEST].split()
    words = [word for word in said if word != HERE]
    if words and words[0].lower() in {"rcu", "/rcu"}:
        words = words[1:]
    if not ask.addressed and not (words and spoken(words[0])):
        return None
    try:
        reply = await command(words[0] if words else "help").answer(replace(ask, words=" ".join(words[1:])), doors)
    except UnclearError:
        if ask.addressed:
            raise
        return None
    return replace(reply, private=HERE not in said)
