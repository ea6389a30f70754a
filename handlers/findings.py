"""Which finding a person means: by the beginning of its name, or the only one of the thread they speak in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.model import Ask, Finding
from bot.ports import Transaction
from bot.report.fault import short
from bot.report.story import standings
from bot.report.text import one_line
from handlers.command import UnclearError
from handlers.telling import story_of

_NAME = re.compile(r"[0-9a-f]{6,16}")


@dataclass(frozen=True, slots=True)
class Meant:
    """The findings about one object, all the threads that have one of them, and the words behind the name."""

    findings: tuple[Finding, ...]
    threads: tuple[str, ...]
    words: str

    @property
    def name(self) -> str:
        return short(min(finding.fingerprint for finding in self.findings))


async def meant(transaction: Transaction, ask: Ask, usage: str) -> Meant:
    """Raises UnclearError when no finding is named, or more than one could be meant."""
    first, _, rest = ask.words.partition(" ")
    name = first.lower().strip("`:,.")
    if _NAME.fullmatch(name):
        found = await transaction.located(name)
        if not found:
            raise UnclearError(f"There is no finding called {name}; `open` shows those that are open.")
        if len({finding.fingerprint for _, finding in found}) > 1 and len(name) < 16:
            names = sorted({finding.fingerprint for _, finding in found})
            raise UnclearError(f"{name} could be {', '.join(names[:5])}; write more of it.")
        thread, finding = found[0]
        return await _with_others(transaction, thread, finding, rest.strip())
    if not ask.thread:
        raise UnclearError(f"Which finding? `{usage}`; `open` shows those that are open.")
    return await _only(transaction, ask, usage)


async def _only(transaction: Transaction, ask: Ask, usage: str) -> Meant:
    story = await story_of(transaction, ask.thread)
    there = [one.finding for one in standings(story).values() if one.is_open]
    subjects = {finding.subject: finding for finding in there}
    if len(subjects) != 1:
        said = ", ".join(
            f"{short(one.fingerprint)} ({one_line(name, 40)})" for name, one in list(subjects.items())[:10]
        )
        raise UnclearError(f"Which finding? `{usage}`: {said or 'none is open here'}.")
    return await _with_others(transaction, ask.thread, there[0], ask.words)


async def _with_others(transaction: Transaction, thread: str, finding: Finding, words: str) -> Meant:
    """A message is about one object, so what is said of one of its places is said of all of them."""
    story = await story_of(transaction, thread)
    same: dict[str, Finding] = {}
    for found in story.findings().values():
        if any(one.fingerprint == finding.fingerprint for one in found):
            same |= {one.fingerprint: one for one in found if one.subject == finding.subject}
    threads = {thread: None}
    for name in same:
        threads |= {where: None for where, _ in await transaction.located(name)}
    return Meant(tuple(same.values()) or (finding,), tuple(threads), words)
