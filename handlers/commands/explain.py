"""explain: the page of a rule; in a series' thread, of the rules that spoke there."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from bot.model import Ask, Fields, Page, Reply, Text
from bot.report import explain, precision
from bot.rule import Rule
from handlers.command import Command, UnclearError
from handlers.doors import Doors


async def answer(ask: Ask, doors: Doors) -> Reply:
    rules = {rule.name: rule for rule in doors.rules()}
    async with doors.store.transaction() as transaction:
        figures = precision.by_rule(await transaction.tallies())
    if ask.words:
        rule = _named(ask.words, rules)
        return Reply(explain.page(rule, figures.get(rule.name)))
    if not ask.thread:
        raise UnclearError("Which rule? `explain RULE`; `rules` shows them all.")
    async with doors.store.transaction() as transaction:
        findings = await transaction.findings(ask.thread)
    spoke = dict.fromkeys(finding.rule for _, finding in findings if finding.rule in rules)
    return Reply(_pages([rules[name] for name in spoke]))


def _named(words: str, rules: dict[str, Rule]) -> Rule:
    wanted = "-".join(words.replace("_", " ").lower().rstrip("?!.").split())
    if wanted in rules:
        return rules[wanted]
    near = difflib.get_close_matches(wanted, rules, n=1, cutoff=0.4)
    hint = f"the nearest is `explain {near[0]}`" if near else "`rules` shows them all"
    raise UnclearError(f"There is no rule called {words[:60]!r}; {hint}.")


def _pages(spoke: Sequence[Rule]) -> Page:
    if not spoke:
        return Page("No rule has spoken in this thread.")
    if len(spoke) == 1:
        return explain.page(spoke[0])
    table = Fields(tuple((rule.name, f"{rule.summary} {rule.instead}") for rule in spoke))
    return Page(
        f"{len(spoke)} rules spoke in this thread", parts=(table, Text("explain RULE shows one whole", quiet=True))
    )


COMMAND = Command(
    name="explain",
    usage="explain [RULE]",
    summary="Why a rule warns, what to do instead, and where it is known to be wrong.",
    examples=("explain plain-del-on-rculist", "explain"),
    answer=answer,
    aliases=("why", "rule", "what"),
)
