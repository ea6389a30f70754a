"""Finds the commands in handlers/commands and hands them out; a file there that is not one command is an error."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from types import ModuleType

import handlers.commands
from handlers.command import Command, UnclearError


@cache
def commands() -> tuple[Command, ...]:
    """All commands, by name.

    Raises TypeError when a file in handlers/commands does not hold the one command it is named after, or when two
    commands answer to the same word.
    """
    stems = [module.name for module in pkgutil.iter_modules(handlers.commands.__path__)]
    found = tuple(held(stem, importlib.import_module(f"handlers.commands.{stem}")) for stem in stems)
    words = [word for command in found for word in (command.name, *command.aliases)]
    if twice := sorted({word for word in words if words.count(word) > 1}):
        raise TypeError(f"two commands in handlers/commands answer to {twice[0]!r}")
    return tuple(sorted(found, key=lambda command: command.name))


def held(stem: str, module: ModuleType) -> Command:
    """The command that a module of this name holds.  Raises TypeError when it holds none, or one of another name."""
    command = getattr(module, "COMMAND", None)
    name = stem.replace("_", "-")
    if not isinstance(command, Command) or command.name != name:
        raise TypeError(f"handlers/commands/{stem}.py must hold COMMAND, a Command called {name!r}")
    return command


def spoken(word: str) -> bool:
    """Is this word the very name of a command?  Aliases and forgiven punctuation are for those who speak to the bot."""
    return any(one.name == word.lower() for one in commands())


def command(word: str) -> Command:
    """The command that answers to a word.  Raises UnclearError, naming the nearest."""
    wanted = word.lower().rstrip(":,?!.")
    by_word = {known: command for command in commands() for known in (command.name, *command.aliases)}
    if wanted in by_word:
        return by_word[wanted]
    near = difflib.get_close_matches(wanted, by_word, n=1, cutoff=0.5)
    hint = f"the nearest is `{by_word[near[0]].usage}`" if near else "`help` shows what there is"
    raise UnclearError(f"There is no command {word[:40]!r}; {hint}.")
