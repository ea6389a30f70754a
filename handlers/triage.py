"""Somebody judged a finding: keep the verdict, show it wherever it was told, and see what it says of the rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bot.model import MAIL, Action, Ask, Delivery, Page, Reply, Text, Triage, Verdict
from bot.ports import Transaction
from bot.report import precision
from bot.report.deliveries import CARD
from bot.report.fault import said
from bot.report.text import one_line
from handlers.audit import noted, person
from handlers.doors import Doors
from handlers.findings import Meant, meant
from handlers.telling import tell

_LONGEST_REASON = 500
_DONE = {
    Verdict.ACK: "Acknowledged",
    Verdict.FALSE_POSITIVE: "Noted as a false positive",
    Verdict.WONT_FIX: "Noted as staying as it is",
}


async def judged(ask: Ask, doors: Doors, verdict: Verdict, usage: str) -> Reply:
    """Take a verdict on a finding.  The same one by the same person again changes nothing.  Raises UnclearError."""
    async with doors.store.transaction() as transaction:
        it = await meant(transaction, ask, usage)
        given = await transaction.verdicts([finding.fingerprint for finding in it.findings])
        reason = one_line(it.words, _LONGEST_REASON)
        if _same(given.values(), len(it.findings), ask, verdict, reason):
            return Reply(_page("You said so before; nothing changes", it, ()))
        for finding in it.findings:
            await transaction.set_verdict(
                Triage(finding.fingerprint, finding.rule, verdict, person(ask), doors.now(), reason)
            )
        lines = [*_former(given.values(), ask), *await _follows(transaction, ask, doors, it, verdict.value)]
    return Reply(_page(_DONE[verdict], it, lines, Action("Undo", f"reopen {it.name}")))


async def reopened(ask: Ask, doors: Doors, usage: str) -> Reply:
    """Take back what was said of a finding, whoever said it.  Raises UnclearError."""
    async with doors.store.transaction() as transaction:
        it = await meant(transaction, ask, usage)
        given = await transaction.verdicts([finding.fingerprint for finding in it.findings])
        ours = [one for one in given.values() if one.who.chat != MAIL]
        if not ours:
            return Reply(_page("Nobody judged it; nothing changes", it, ()))
        for one in ours:
            await transaction.drop_verdict(one.fingerprint)
        lines = [*_former(ours, ask), *await _follows(transaction, ask, doors, it, "reopen")]
    last = ours[0]
    undo = Action("Undo", one_line(f"{last.verdict.value} {it.name} {last.reason}"))
    return Reply(_page("Open again", it, lines, undo))


def _same(given: Iterable[Triage], wanted: int, ask: Ask, verdict: Verdict, reason: str) -> bool:
    equal = [
        one
        for one in given
        if (one.who, one.verdict) == (person(ask), verdict) and (not reason or reason == one.reason)
    ]
    return len(equal) == wanted


def _former(given: Iterable[Triage], ask: Ask) -> list[Text]:
    """What somebody else had said until now."""
    others = {replace(one, fingerprint="", rule="") for one in given if one.who.chat != MAIL and one.who != person(ask)}
    lines = [said(one, ask.chat) for one in sorted(others, key=lambda one: one.at)]
    return [replace(line, text=f"Until now: {line.text}") for line in lines]


async def _follows(transaction: Transaction, ask: Ask, doors: Doors, it: Meant, verb: str) -> list[Text]:
    """Show it in every thread, note it, and say when the rule's standing changes."""
    for thread in it.threads:
        await tell(transaction, thread, doors.policy, doors.now())
    await noted(transaction, ask, verb, f"{verb} {it.name}", doors.now())
    tallies = await transaction.tallies()
    silenced = precision.demoted(tallies, doors.policy.pinned)
    lines: list[Text] = []
    for rule in dict.fromkeys(finding.rule for finding in it.findings):
        figures = precision.by_rule(tallies).get(rule, precision.Precision())
        lines.append(Text(f"{rule}: {figures}", quiet=True))
        page = _standing(rule, figures, silent=rule in silenced)
        for place in doors.policy.places:
            await _announce(transaction, place.chat, place.channel, rule, page, silent=rule in silenced)
    return lines


def _standing(rule: str, figures: precision.Precision, *, silent: bool) -> Page:
    words = "speaks in the digest alone from now on" if silent else "speaks in threads again"
    why = f"People found it {figures}; the bar is {precision.LEAST_USEFUL:.0%} of at least {precision.FEWEST} verdicts."
    return Page(f"{rule} {words}", parts=(Text(why),), actions=(Action("Explain", f"explain {rule}"),))


async def _announce(transaction: Transaction, chat: str, channel: str, rule: str, page: Page, *, silent: bool) -> None:
    """A message of its own for each rule, posted when the rule falls silent, and edited when that ends."""
    thread = f"rule/{rule}"
    if silent or (chat, channel) in await transaction.followers(thread):
        key = f"{chat}/{channel}/{thread}/{CARD}"
        await transaction.show(Delivery(key, chat, channel, thread, page, card=True, slot=CARD))


def _page(headline: str, it: Meant, lines: Iterable[Text], *actions: Action) -> Page:
    return Page(f"{headline}: {it.findings[0].text}", parts=tuple(lines), actions=actions)
