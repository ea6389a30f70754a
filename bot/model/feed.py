"""The words of feeds: how each does, and what is wrong with it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime


class Trouble(enum.StrEnum):
    """What can be wrong with a feed."""

    FAILING = "failing"  # it cannot be read
    SILENT = "silent"  # it is read, and brings nothing for longer than the list is ever silent
    UNREADABLE = "unreadable"  # mail of it cannot be used
    INCOMPLETE = "incomplete"  # parts of its series never came


@dataclass(frozen=True, slots=True)
class Note:
    """A trouble that operators were told of, and when; it ends with a second word."""

    trouble: Trouble
    since: datetime


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a feed does.

    ``gaps`` are the longest silences of the last weeks, by the dates of its mail: (week since 1970, seconds).  ``lag``
    is how old its newest mail was when it came, in seconds.  ``unreadable_at`` and ``incomplete_at`` are the last few
    times.
    """

    feed: str
    heard_at: datetime | None = None  # when it last brought something
    oldest: datetime | None = None  # the dates of its mail
    newest: datetime | None = None
    lag: float = 0.0
    gaps: tuple[tuple[int, int], ...] = ()
    mails: int = 0
    known: int = 0  # of these, passed over since another feed, or an earlier reading, brought them
    unreadable: int = 0
    incomplete: int = 0  # series
    unreadable_at: tuple[datetime, ...] = ()
    incomplete_at: tuple[datetime, ...] = ()
    failing_since: datetime | None = None
    failure: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Brought:
    """What one reading of a feed brought: how much, and what dates it bears."""

    mails: int = 0
    known: int = 0
    unreadable: int = 0
    dates: tuple[datetime, ...] = ()
