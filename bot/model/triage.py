"""The words of triage: what people decide about findings, and how a channel wants to be told."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, time


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a chat calls them; of the chat ``MAIL`` it is the name of who wrote to the list."""

    chat: str
    id: str


MAIL = "mail"


class Verdict(enum.StrEnum):
    """What somebody says of a finding, in the words of the commands."""

    ACK = "ack"
    FALSE_POSITIVE = "fp"
    WONT_FIX = "wontfix"
    RAISED = "raised"  # a reviewer said the same on the list

    @property
    def dismisses(self) -> bool:
        """Is the finding not to be told again?"""
        return self in {Verdict.FALSE_POSITIVE, Verdict.WONT_FIX}


@dataclass(frozen=True, slots=True)
class Triage:
    """A verdict on a finding.  It holds for the fingerprint, so in every version and every series that has it."""

    fingerprint: str
    rule: str
    verdict: Verdict
    who: Person
    at: datetime
    reason: str = ""


class MuteKind(enum.StrEnum):
    RULE = "rule"
    PATH = "path"  # a glob
    AUTHOR = "author"  # a part of name or address
    SERIES = "series"  # a thread


@dataclass(frozen=True, slots=True)
class Mute:
    """What a channel does not want to hear of, until ``until`` or until somebody unmutes it."""

    chat: str
    channel: str
    kind: MuteKind
    pattern: str
    who: Person
    at: datetime
    until: datetime | None = None
    number: int = 0  # the store's


@dataclass(frozen=True, slots=True)
class Subscription:
    """A channel wants to hear of what a filter admits; ``words`` are the filter as it was typed."""

    chat: str
    channel: str
    words: str
    who: Person
    at: datetime
    number: int = 0  # the store's


class Rhythm(enum.StrEnum):
    OFF = "off"
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Habits:
    """How a channel wants to be told.

    ``thread_only``: replies stay in their threads.  ``every_series``: a card for each series, also where nothing was
    found.  Times are those of ``zone``, a name of the IANA database.  ``told_on`` is the day of the last digest.
    """

    thread_only: bool = True
    every_series: bool = False
    digest: Rhythm = Rhythm.OFF
    digest_at: time = time(9)
    quiet_from: time | None = None
    quiet_to: time | None = None
    zone: str = "UTC"
    told_on: date | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """A line of the audit table: who said what where, and what came of it."""

    who: Person
    channel: str
    words: str
    outcome: str
    at: datetime
