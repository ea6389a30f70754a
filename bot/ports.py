"""The doors between the machine and the world: what a feed, a tree, a chat, a store and a clock must be able to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from bot.model import (
    Answer,
    Ask,
    Delivery,
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


class Tree(Protocol):
    """A state of the kernel source."""

    name: str

    async def answer(self, wanted: Wanted) -> Answer:
        """The texts of the wanted files, of the files with the wanted mentions, of those with the definitions."""
        ...


class ChatError(Exception):
    """A chat did not take a page.  ``retry_after`` is how long it asked us to wait; ``final``: never try again."""

    def __init__(self, reason: str, *, retry_after: timedelta | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.final = final


Answerer: TypeAlias = Callable[[Ask], Awaitable[Reply | None]]


class Chat(Protocol):
    """Where people read and ask."""

    name: str

    async def post(self, channel: str, page: Page, *, thread: str, delivery: str) -> str:
        """Post a page, below ``thread`` (the remote id of its card) when that is not "", and return its remote id.

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

    async def listen(self, answer: Answerer) -> None:
        """Take people's words and reply, until cancelled."""
        ...

    def healthy(self) -> bool: ...


class Transaction(Protocol):
    """Everything that is saved together or not at all."""

    # mail
    async def has_message(self, message_id: str) -> bool: ...
    async def add_message(self, message: Message, raw: RawMail, series_key: str) -> None: ...
    async def add_unreadable(self, unreadable: Unreadable, feed: str) -> None: ...
    async def cursor(self, feed: str) -> str: ...
    async def set_cursor(self, feed: str, position: str) -> None: ...

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
        """Series to review: SETTLED, or OPEN with ``settles_at`` past."""
        ...

    async def recent_series(self, limit: int, words: str = "") -> tuple[Series, ...]: ...
    async def versions(self, thread: str) -> tuple[Series, ...]:
        """All versions of a thread, oldest first."""
        ...

    # findings
    async def add_review(self, review: Review) -> None: ...
    async def review(self, series_key: str) -> Review | None: ...
    async def findings(self, thread: str) -> tuple[tuple[int, Finding], ...]:
        """(version, finding) of all reviewed versions of a thread, oldest version first."""
        ...

    # outbox
    async def queue(self, delivery: Delivery) -> bool:
        """Put a delivery in the outbox; False when its key is already known."""
        ...

    async def due_deliveries(self, now: datetime, limit: int) -> tuple[Delivery, ...]: ...
    async def save_delivery(self, delivery: Delivery) -> None: ...
    async def card(self, chat: str, channel: str, thread: str) -> Delivery | None:
        """The newest SENT card of a thread in a channel."""
        ...

    async def thread_at(self, chat: str, channel: str, remote_id: str) -> str:
        """The series thread whose card has this remote id, "" when none."""
        ...

    async def counts(self) -> dict[str, int]:
        """Rows by kind, for status and metrics: messages, unreadable, series, findings, queued, gave-up."""
        ...


class Store(Protocol):
    """Where state lives between two starts."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...
    async def upgrade(self) -> None:
        """Bring the schema to the newest version."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """Run ``job`` at once and then each ``interval``; never twice at the same time."""
        ...

    async def drain(self) -> None:
        """Start nothing more and wait for what runs."""
        ...
