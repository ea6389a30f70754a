"""The doors between the machine and the world: what a feed, a tree, a chat, a store and a clock must be able to do."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from bot.model import (
    Answer,
    Ask,
    FeedState,
    Finding,
    Message,
    Page,
    RawMail,
    Reply,
    Review,
    Series,
    Unreadable,
    Wanted,
)
from bot.ports.outbox import Outbox
from bot.ports.replicas import Replicas
from bot.ports.triage import Decisions


class FeedError(Exception):
    """A feed could not be read; the message says which, why and the cure.  The other feeds go on."""


class Feed(Protocol):
    """Where mail comes from."""

    name: str

    def since(self, position: str) -> AsyncIterator[RawMail | Unreadable]:
        """Every mail after ``position`` ("" is the beginning), oldest first.

        Raises FeedError.  ``RawMail.position`` of the last mail taken is what to pass next time.
        """
        ...

    async def count(self, position: str) -> int | None:
        """How many mails ``since`` would give, None when that is not cheap to know."""
        ...


class Archive(Protocol):
    """Where a thread of mail can be had when somebody asks for it."""

    async def fetch(self, wanted: str) -> tuple[RawMail | Unreadable, ...]:
        """The thread of a Message-ID, or of an address of a configured archive; () when no archive has it.

        Raises FeedError when it cannot be asked for, and for an address of another server, which is never contacted.
        """
        ...


class TreeError(Exception):
    """A tree could not be used; the message says which, why and the cure.  A review without it still has its worth."""


class Tree(Protocol):
    """A state of the kernel source."""

    name: str

    async def answer(self, wanted: Wanted) -> Answer:
        """The texts of the wanted files, of the files with the wanted mentions, of those with the definitions.

        Raises TreeError when the tree as a whole cannot be read; what it lacks of the wanted is said in the notes.
        """
        ...


class ReviewError(Exception):
    """A series could not be reviewed; the message says why.  It is set aside, and the others go on."""


Reviewing: TypeAlias = Callable[[Series], Awaitable[Review]]


class Cause(enum.StrEnum):
    """Why a chat did not take a page; what is counted under ``refused``."""

    TROUBLE = "trouble"  # it did not answer, or not as it should
    WAIT = "wait"  # it asked us to wait
    ACCESS = "access"  # it does not let us in: an operator must mend tokens or permissions
    CHANNEL = "channel"  # it does not let us speak there: somebody must mend the channel or our place in it
    GONE = "gone"  # the message that was to be edited or answered was deleted
    CONTENT = "content"  # it will never take this page


class ChatError(Exception):
    """A chat did not take a page; the message says why and the cure.

    ``retry_after`` is how long it asked us to wait; ``final``: trying again cannot help, whoever mends what.
    """

    def __init__(
        self,
        reason: str,
        *,
        cause: Cause = Cause.TROUBLE,
        retry_after: timedelta | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(reason)
        self.cause = cause
        self.retry_after = retry_after
        self.final = final


Answerer: TypeAlias = Callable[[Ask], Awaitable[Reply | None]]
Linked: TypeAlias = Callable[[str], Awaitable[Page | None]]
"""What is known of the mail at an address, None when nothing is."""


class Chat(Protocol):
    """Where people read and ask.

    ``pace`` is how far apart pages to one channel must be in the long run.  ``private``: it can talk with one person
    alone, in the channel "@id".
    """

    name: str
    pace: timedelta
    private: bool

    async def post(self, channel: str, page: Page, *, thread: str, delivery: str, broadcast: bool = False) -> str:
        """Post a page, below ``thread`` (the remote id of its card) when that is not "", and return its remote id.

        A channel "@id" is the private talk with a person.  With ``broadcast`` the channel sees a reply, too.

        ``delivery`` is the delivery's key; a chat that can attach it to the message does, so that ``find`` sees it.
        Raises ChatError.
        """
        ...

    async def edit(self, channel: str, remote_id: str, page: Page) -> None:
        """Show ``page`` in place of what was posted.  Raises ChatError."""
        ...

    async def find(self, channel: str, delivery: str, *, thread: str) -> str | None:
        """The remote id of a page that was posted for this delivery, None when there is none.

        Asked after a crash between the chat's yes and our note of it.  Raises ChatError.
        """
        ...

    async def members(self, group: str) -> frozenset[str]:
        """The ids of the people in a group of this chat, none when it knows no such group.  Raises ChatError."""
        ...

    async def listen(self, answer: Answerer, linked: Linked | None = None) -> None:
        """Take people's words and reply, until cancelled.  ``linked`` is asked about addresses that they paste.

        Raises ChatError when the chat does not let us in.
        """
        ...

    def healthy(self) -> bool: ...


class StoreError(Exception):
    """The store could not be opened or used; the message names it, says why and the cure."""


class StoreAwayError(StoreError):
    """Nothing can be saved just now, whatever it is: the disk is full, or the database is away."""


class LeaseLostError(StoreAwayError):
    """This replica was away for longer than its lease: what it held may be another's, and it may save nothing more."""


class Transaction(Decisions, Outbox, Replicas, Protocol):
    """Everything that is saved together or not at all.

    Writes of mail, series and cursors are gathered and reach the database in bulk: take many mails in one transaction.
    Reads see the writes made before them in the same transaction.
    """

    # mail
    async def has_message(self, message_id: str) -> bool: ...
    async def known_messages(self, message_ids: Sequence[str]) -> frozenset[str]:
        """Those of these ids that the store has; one question for a whole batch."""
        ...

    async def foresee(self, messages: Sequence[Message]) -> None:
        """Fetch at once what ``has_message``, ``series_of`` and ``kin`` will be asked about these.

        Changes no answer; a batch of mail is then taken with a handful of questions to the database.
        """
        ...

    async def add_message(self, message: Message, raw: RawMail, series_key: str) -> None:
        """Keep a mail, "" for the key of one that is in no series.  An id that is known already changes nothing."""
        ...

    async def raw_mail(self, message_id: str) -> RawMail | None:
        """The mail as it came, byte for byte; a position of more than 200 characters is not kept with it."""
        ...

    async def add_unreadable(self, unreadable: Unreadable, feed: str) -> None:
        """Keep it and count it; the same one again only raises its count."""
        ...

    async def unreadable(self, limit: int) -> tuple[tuple[Unreadable, int], ...]:
        """The newest unreadable inputs, each with how often it came."""
        ...

    async def cursor(self, feed: str) -> str:
        """Where the feed was read to, "" at the beginning."""
        ...

    async def set_cursor(self, feed: str, position: str) -> None: ...

    async def feed_state(self, feed: str) -> FeedState:
        """How a feed does; nothing is known of a new one."""
        ...

    async def feed_states(self) -> tuple[FeedState, ...]:
        """How all feeds do that were ever read, by name."""
        ...

    async def save_feed_state(self, state: FeedState) -> None: ...

    # series
    async def series(self, key: str) -> Series | None: ...
    async def series_of(self, message_ids: Sequence[str]) -> tuple[Series, ...]:
        """The series that any of these messages belong to."""
        ...

    async def kin(self, series: Series) -> tuple[Series, ...]:
        """Series that may be other versions of this one: same author and title, same change-id, or same thread."""
        ...

    async def save_series(self, series: Series) -> None: ...
    async def due_series(self, now: datetime, limit: int) -> tuple[Series, ...]:
        """Series to review, the first to come first: SETTLED, or OPEN with ``settles_at`` past.

        None of a thread that another replica holds.
        """
        ...

    async def recent_series(self, limit: int, words: str = "") -> tuple[Series, ...]:
        """The last to come first; with ``words``, those that have every word in their title or author."""
        ...

    async def series_since(self, moment: datetime) -> tuple[str, ...]:
        """Keys of the series whose patience ends after a moment, the first to come first.

        All that came since then are among them.
        """
        ...

    async def versions(self, thread: str) -> tuple[Series, ...]:
        """All versions of a thread, oldest first."""
        ...

    # findings
    async def add_review(self, review: Review) -> None:
        """Keep a review; it takes the place of an earlier one of the same series."""
        ...

    async def review(self, series_key: str) -> Review | None: ...
    async def findings(self, thread: str) -> tuple[tuple[int, Finding], ...]:
        """(version, finding) of all reviewed versions of a thread, oldest version first."""
        ...

    async def located(self, prefix: str) -> tuple[tuple[str, Finding], ...]:
        """(thread, finding) of those whose fingerprint begins so, the newest version first."""
        ...

    async def threads_with_findings(self, since: datetime, limit: int) -> tuple[str, ...]:
        """Threads that came in since then and had findings in some version, the newest first."""
        ...

    async def reviewed_between(self, start: datetime, end: datetime, limit: int) -> tuple[tuple[Series, Review], ...]:
        """Reviewed series whose ``settles_at`` is from ``start`` to before ``end``, the first to come first."""
        ...

    async def counts(self) -> dict[str, int]:
        """How much there is, for status and metrics.

        messages, unreadable, series, reviews, findings; series by state: open, settled, reviewed; deliveries by state:
        queued, sending, sent, gave-up.  Every name is there, 0 when nothing is.
        """
        ...

    async def clock(self) -> datetime:
        """What the clock of the store shows: the one that all replicas agree on."""
        ...

    async def waiting(self) -> dict[str, datetime]:
        """Since when the oldest waits: "pages" by when it was queued, "reviews" by its ``settles_at``."""
        ...

    async def findings_by_rule(self) -> dict[str, int]: ...


class Store(Protocol):
    """Where state lives between two starts, shared by replicas of the service.

    ``replica`` is the name of this one, "" until it joined the others.
    """

    replica: str

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """All or nothing: saved when the block ends, forgotten when it raises; not to be nested.

        Transactions of all replicas come one after the other, so each sees all that was saved before it began.
        Raises StoreError, and LeaseLostError when this replica joined and was found dead since.
        """
        ...

    async def join(self, name: str, former: str = "") -> None:
        """Be a replica of a name that no other has, for the time of a lease.  Raises StoreError.

        What ``former`` held is free: it is known to be dead.
        """
        ...

    async def renew(self) -> None:
        """Begin the lease anew.  Waits for no transaction.  Raises StoreError, and LeaseLostError when it is over."""
        ...

    async def leave(self) -> None:
        """Set free at once what this replica holds.  Raises StoreError."""
        ...

    def abandon(self) -> None:
        """Let go of a database that does not answer: what waits for it raises StoreError now, and nothing is saved."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        """What is saved just now, to look at only: it waits for no transaction, and none waits for it."""
        ...

    async def upgrade(self) -> tuple[str, str]:
        """Bring the schema to the newest version; the versions before ("" of an empty database) and after.

        Raises StoreError.
        """
        ...

    async def ping(self) -> None:
        """Can it be reached and is its schema the one we know?  Raises StoreError."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run ``job`` at once and then each ``interval``; never twice at the same time.

        What a job raises is logged and its next run comes as planned.
        """
        ...

    async def drain(self) -> None:
        """Start nothing more and wait for what runs."""
        ...


class Meter(Protocol):
    """Where figures about the work go.  The names and their labels are the table in bot/health.py."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a figure that only grows."""
        ...

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Say what a figure is now."""
        ...

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add one duration to a distribution."""
        ...
