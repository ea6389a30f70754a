"""What a command is: a verb that people say to the bot, how to say it, and the function that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.model import Ask, Reply
from handlers.doors import Doors


class UnclearError(Exception):
    """The words after the verb make no sense to the command; the message says what would.

    A person who spoke to the bot is told so.  Words in a thread that only happened to begin with a verb stay
    unanswered.
    """


class DeniedError(Exception):
    """This person may not do it; the message says who could."""


@dataclass(frozen=True, slots=True)
class Command:
    """``answer`` gets the ask with its verb already taken off.  ``examples`` are whole lines, verb included."""

    name: str
    usage: str
    summary: str
    examples: tuple[str, ...]
    answer: Callable[[Ask, Doors], Awaitable[Reply]]
    aliases: tuple[str, ...] = ()
