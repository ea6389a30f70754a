"""quote: a finding as a mail that you can send yourself; gracewatch never writes to a list."""

from __future__ import annotations

from bot.model import Action, Ask, Code, Page, Reply, Text
from bot.report import links, quote
from bot.report.story import standings
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.findings import meant
from handlers.telling import story_of


async def answer(ask: Ask, doors: Doors) -> Reply:
    async with doors.store.transaction() as transaction:
        it = await meant(transaction, ask, COMMAND.usage)
        known = standings(await story_of(transaction, it.threads[0]))
    found = [known[one.fingerprint] for one in it.findings if one.fingerprint in known]
    if not found:
        raise UnclearError(f"The series of {it.name} is not known any more.")
    best = max(found, key=lambda one: one.finding.confidence)
    to = links.of_message(best.finding.introduced_by)
    lines = (
        Text("Read it, make it yours, and send it as a reply to the patch. gracewatch never writes to a list."),
        Code(quote.mail(best.seen_in, best.finding).rstrip("\n").expandtabs(8)),
        Text(f"In reply to {best.finding.introduced_by}", quiet=True),
    )
    return Reply(
        Page(f"A reply about {best.finding.subject}", to, parts=lines, actions=(Action("The patch", link=to),))
    )


COMMAND = Command(
    name="quote",
    usage="quote [FINDING]",
    summary="A finding as a mail that you can send yourself: the hunk quoted, the question below it.",
    examples=("quote aaaaaaaa",),
    answer=answer,
    aliases=("copy", "mail", "draft"),
)
