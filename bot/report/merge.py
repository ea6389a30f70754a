"""Was the series taken?  "Applied, thanks", the mails of tip-bot, and those of pr-tracker-bot, among its replies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.model import Message, Series
from bot.report.text import one_line

_TAKEN = re.compile(
    r"(?:I(?:'ve| have)? |All |Both |Series |Patch(?:es)? |Now |Thanks,? )?"
    r"(?:applied|queued|merged|pushed|picked up|committed)"
    r"(?:[,.!]| to | for | in | the | all | with | both | patch| \d| \(|$)",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|if|once|when|after|before|should|could|can|will|would|please|doesn't|cannot|locally)\b", re.IGNORECASE
)
_TIP = re.compile(r"\[tip: ?([A-Za-z0-9/_.-]{1,60})\]")
_TIP_BOT = "tip-bot2@"
TRACKER = "pr-tracker-bot@kernel.org"
_TRACKED = re.compile(r"has been merged into ([A-Za-z0-9/_.-]{1,80}):\s{1,20}(https://\S{1,300})")
_MOST_LETTERS = 50_000
_MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class Merge:
    """Who took which version of a series, in which words, and the mail that says so."""

    who: str
    words: str
    message_id: str
    version: int


def by_robot(message: Message) -> bool:
    """Does a robot tell in this mail that a patch was taken?"""
    return message.sender.email.startswith(_TIP_BOT) or message.sender.email == TRACKER


def of(versions: Iterable[Series]) -> Merge | None:
    """The mail that says that a version was taken, of the newest version that was."""
    for series in reversed(tuple(versions)):
        for reply in series.replies:
            if found := _said(reply, series):
                return found
    return None


def _said(reply: Message, series: Series) -> Merge | None:
    sender = reply.sender.email
    who = one_line(reply.sender.name or sender, 60)
    if sender == TRACKER:
        found = _TRACKED.search(reply.body[:10_000])
        return Merge(who, f"merged into {found[1]}", reply.id, series.version) if found else None
    if sender.startswith(_TIP_BOT):
        tip = _TIP.search(reply.subject.raw[:500])
        return Merge(who, f"merged into {tip[1]} of tip" if tip else "merged into tip", reply.id, series.version)
    if sender == series.author.email and not _by_the_book(reply):
        return None  # "I applied this locally"
    begins = True  # a line in the middle of a paragraph may begin with any word
    for line in reply.body[:_MOST_LETTERS].split("\n")[:_MOST_LINES]:
        text = line.strip()[:300]
        if begins and _TAKEN.match(text) and not _NOT.search(text):
            return Merge(who, one_line(text, 80), reply.id, series.version)
        begins = not text or text.startswith(">")
    return None


def _by_the_book(reply: Message) -> bool:
    """A maintainer's own series is taken by a mail of ``b4 ty``, which lists the commits."""
    return bool(re.search(r"^\[\d{1,4}/\d{1,4}\] ", reply.body[:5000], re.MULTILINE)) and "commit" in reply.body[:5000]
