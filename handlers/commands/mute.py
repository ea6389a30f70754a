"""mute: a rule, a path, an author or a series that a channel does not want to hear of, for a while or for good."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.model import Action, Ask, Finding, Mute, MuteKind, Page, Reply, Text
from bot.ports import Transaction
from bot.report.spans import parted
from bot.report.text import one_line
from handlers.audit import noted, person
from handlers.command import Command, UnclearError
from handlers.commands.check import message_id
from handlers.doors import Doors
from handlers.permits import channel_of, decide

_FINDING = re.compile(r"[0-9a-f]{6,16}")
_KINDS = {
    "rule": MuteKind.RULE, "rules": MuteKind.RULE, "path": MuteKind.PATH, "file": MuteKind.PATH, "dir": MuteKind.PATH,
    "author": MuteKind.AUTHOR, "from": MuteKind.AUTHOR, "series": MuteKind.SERIES, "thread": MuteKind.SERIES,
}  # fmt: skip
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class _Wish:
    finding: str
    kind: MuteKind | None
    pattern: str
    length: timedelta | None


async def answer(ask: Ask, doors: Doors) -> Reply:
    wish = _read(ask.words)
    async with doors.store.transaction() as transaction:
        kind, pattern, shown = await _what(transaction, ask, doors, wish)
    await decide(ask, "mute", doors)
    now = doors.now()
    until = now + wish.length if wish.length else None
    place = (ask.chat, channel_of(ask))
    async with doors.store.transaction() as transaction:
        if old := _muted(await transaction.mutes(now, *place), kind, pattern, until):
            undo = Action("Unmute", f"unmute {old.number}")
            return Reply(Page(f"{kind} {shown} was muted before; nothing changes", actions=(undo,)))
        number = await transaction.add_mute(Mute(*place, kind, pattern, person(ask), now, until))
        await noted(transaction, ask, "mute", f"mute {number}: {kind} {shown}", now)
        if kind is MuteKind.SERIES:
            await transaction.stir(pattern, now)
    how_long = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until somebody unmutes it"
    lines = (Text(f"{place[1]} is told nothing of it {how_long}. What was told already is kept up to date."),)
    return Reply(Page(f"Muted {kind} {shown}", parts=lines, actions=(Action("Undo", f"unmute {number}"),)))


def _muted(there: Iterable[Mute], kind: MuteKind, pattern: str, until: datetime | None) -> Mute | None:
    """A mute that does the same and holds as long."""
    for mute in there:
        longer = mute.until is None or (until is not None and mute.until >= until)
        if (mute.kind, mute.pattern) == (kind, pattern) and longer:
            return mute
    return None


def _read(text: str) -> _Wish:
    """``[FINDING] [KIND] [PATTERN] [for SPAN]``."""
    rest, length = parted(text.strip())
    words = rest.split()
    finding = words.pop(0).lower() if words and _FINDING.fullmatch(words[0].lower()) else ""
    kind = _KINDS.get(words[0].lower().rstrip(":")) if words else None
    pattern = " ".join(words[1:] if kind else words).strip("\"'`")
    return _Wish(finding, kind, pattern[:_LONGEST], length)


async def _what(transaction: Transaction, ask: Ask, doors: Doors, wish: _Wish) -> tuple[MuteKind, str, str]:
    """What is to be muted: its kind, its pattern, and how a person calls it.  Raises UnclearError."""
    if wish.finding:
        return await _of_finding(transaction, wish)
    kind = wish.kind or _guessed(wish.pattern, doors)
    if kind is MuteKind.SERIES:
        return await _series(transaction, ask, wish.pattern)
    if kind is None or not wish.pattern:
        raise UnclearError(f"Mute what? `{COMMAND.usage}`.")
    if kind is MuteKind.RULE:
        name = _rule(wish.pattern, doors)
        return kind, name, name
    return kind, wish.pattern, one_line(wish.pattern, 80)


def _guessed(pattern: str, doors: Doors) -> MuteKind | None:
    if not pattern:
        return MuteKind.SERIES
    if any(rule.name == pattern.lower() for rule in doors.rules()):
        return MuteKind.RULE
    if "@" in pattern and " " not in pattern:
        return MuteKind.AUTHOR
    return MuteKind.PATH if re.search(r"[/*]|\.[ch]$", pattern) else None


def _rule(pattern: str, doors: Doors) -> str:
    names = [rule.name for rule in doors.rules()]
    wanted = "-".join(pattern.lower().replace("_", " ").replace("-", " ").split())
    if wanted in names:
        return wanted
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.4)
    raise UnclearError(f"There is no rule called {pattern[:60]!r}" + (f"; the nearest is {near[0]}." if near else "."))


async def _of_finding(transaction: Transaction, wish: _Wish) -> tuple[MuteKind, str, str]:
    found = await transaction.located(wish.finding)
    if not found:
        raise UnclearError(f"There is no finding called {wish.finding}.")
    thread, finding = found[0]
    versions = await transaction.versions(thread)
    kind = wish.kind or MuteKind.SERIES
    author, title = versions[-1].author, one_line(versions[-1].title, 80)
    pattern = wish.pattern or _of(finding, kind, thread, author.email or author.name)
    return kind, pattern, title if kind is MuteKind.SERIES else one_line(pattern, 80)


def _of(finding: Finding, kind: MuteKind, thread: str, author: str) -> str:
    return {
        MuteKind.RULE: finding.rule,
        MuteKind.PATH: finding.path,
        MuteKind.AUTHOR: author,
        MuteKind.SERIES: thread,
    }[kind]


async def _series(transaction: Transaction, ask: Ask, pattern: str) -> tuple[MuteKind, str, str]:
    if pattern:
        known = await transaction.series_of((message_id(pattern),))
    else:
        known = await transaction.versions(ask.thread) if ask.thread else ()
    if not known:
        raise UnclearError("Which series? Say `mute series` in its thread, or with a Message-ID of it.")
    return MuteKind.SERIES, known[-1].thread, one_line(known[-1].title, 80)


COMMAND = Command(
    name="mute",
    usage="mute [FINDING] rule|path|author|series [PATTERN] [for 7d]",
    summary="Tell this channel nothing of a rule, a path (a glob), an author or a series. Maintainers only.",
    examples=("mute rule plain-del-on-rculist for 7d", "mute path arch/s390/*", "mute series", "mute aaaaaaaa author"),
    answer=answer,
    aliases=("silence", "snooze"),
)
