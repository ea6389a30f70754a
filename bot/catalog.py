"""Finds the rules in bot/rules and hands them out; a rule file that is not one rule is an error at once."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

import bot.rules
from bot.rule import Rule


class UnknownRuleError(LookupError):
    """Asked for a rule that does not exist; the message names the nearest one."""


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, by name.  Raises TypeError when a file in bot/rules does not hold the one rule it is named after."""
    return tuple(
        _load(module.name) for module in sorted(pkgutil.iter_modules(bot.rules.__path__), key=lambda m: m.name)
    )


def _load(stem: str) -> Rule:
    module = importlib.import_module(f"bot.rules.{stem}")
    found = [value for value in vars(module).values() if isinstance(value, Rule)]
    if len(found) != 1 or found[0].name != stem.replace("_", "-"):
        raise TypeError(
            f"bot/rules/{stem}.py must hold one rule, a function called {stem}; it holds {len(found)} rules"
        )
    return found[0]


def rule(name: str) -> Rule:
    """The rule of this name; underscores, blanks and letter case do not matter.  Raises UnknownRuleError."""
    wanted = "-".join(name.replace("_", " ").lower().split())
    by_name = {rule.name: rule for rule in rules()}
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0.4)
    hint = f"; the nearest is {near[0]}" if near else ""
    raise UnknownRuleError(f"there is no rule called {name!r}{hint}")
