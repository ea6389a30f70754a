"""What a transaction knows of the outbox: pages on their way to chats, and how fast channels were spoken in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from bot.model import Delivery


class Outbox(Protocol):
    """The part of a Transaction that pages leave by."""

    async def queue(self, delivery: Delivery) -> bool:
        """Put a delivery in the outbox; False when its key is already known.

        Deliveries of one (chat, channel) leave in the order they were queued, so queue a card before its replies.
        """
        ...

    async def show(self, delivery: Delivery) -> bool:
        """Have the message of a slot show this page: posted when there is none, else edited.

        ``delivery.key`` names the message for ever; edits get keys of their own.  False when the newest page of the
        slot is this one already.  An edit that nobody tried to send yet is replaced, so that a message that changes
        often is edited once; what is posted first is always posted as it was.
        """
        ...

    async def standing(self, delivery: Delivery) -> Delivery | None:
        """The newest SENT delivery of the same message, which this one edits; None when it is to be posted."""
        ...

    async def told(self, chat: str, channel: str, thread: str) -> Mapping[str, tuple[str, ...]]:
        """The replies of a thread in a channel: slot to the fingerprints it speaks of, the first queued first."""
        ...

    async def followers(self, thread: str) -> tuple[tuple[str, str], ...]:
        """(chat, channel) of every card that was queued for a thread."""
        ...

    async def due_deliveries(self, now: datetime, limit: int) -> tuple[Delivery, ...]:
        """The next delivery of each (chat, channel), those that may go now: at most one for each, oldest first.

        A channel waits while its oldest unfinished delivery is SENDING or has ``not_before`` ahead, so order is kept
        and a reply comes only when its card is SENT or GAVE_UP.  All that is returned may be sent at the same time.
        Ask again after sending.
        """
        ...

    async def interrupted_deliveries(self) -> tuple[Delivery, ...]:
        """Deliveries left SENDING by a replica that is no more: to be looked up with ``Chat.find`` before all else."""
        ...

    async def save_delivery(self, delivery: Delivery) -> None:
        """Note a queued delivery's new state (and attempts, not_before, remote_id, error).  Unknown key: StoreError.

        While it is SENDING, this replica holds it.
        """
        ...

    async def paces(self) -> Mapping[tuple[str, str], datetime]:
        """By (chat, channel), when all that any replica said there is paid off."""
        ...

    async def save_pace(self, place: tuple[str, str], paid: datetime) -> None: ...

    async def card(self, chat: str, channel: str, thread: str) -> Delivery | None:
        """The newest SENT card of a thread in a channel."""
        ...

    async def thread_at(self, chat: str, channel: str, remote_id: str) -> str:
        """The series thread whose card has this remote id, "" when none."""
        ...

    async def seen_event(self, event_id: str) -> bool:
        """Was this chat event taken before?  It is from now on.  The last 20,000 are remembered."""
        ...
