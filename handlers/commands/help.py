"""help: what can be asked, or how one command is used."""

from __future__ import annotations

from bot.model import Ask, Fields, Page, Reply, Text
from handlers import verbs
from handlers.command import Command, UnclearError
from handlers.doors import Doors

_HOW = "Say it as /rcu …, with a mention, or as a reply in a thread. Only you see the answer unless you add --here."


async def answer(ask: Ask, doors: Doors) -> Reply:  # noqa: ARG001  every command has this shape
    words = ask.words.split()
    if not words:
        table = Fields(tuple((command.usage, command.summary) for command in verbs.commands()))
        return Reply(Page("What you can ask gracewatch", parts=(table, Text(_HOW, quiet=True))))
    if len(words) > 1:
        raise UnclearError(f"`help` takes one command; `{COMMAND.usage}`.")
    return Reply(page(verbs.command(words[0])))


def page(command: Command) -> Page:
    """How one command is used."""
    pairs = [("usage", command.usage), ("for example", "; ".join(command.examples))]
    pairs += [("also", ", ".join(command.aliases))] if command.aliases else []
    return Page(command.name, parts=(Text(command.summary), Fields(tuple(pairs)), Text(_HOW, quiet=True)))


COMMAND = Command(
    name="help",
    usage="help [COMMAND]",
    summary="What can be asked, or how one command is used.",
    examples=("help", "help check"),
    answer=answer,
    aliases=("h", "?", "commands"),
)
