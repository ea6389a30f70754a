"""What a transaction knows of people: their verdicts, mutes and subscriptions, and how channels want to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.model import Deed, Habits, Mute, Person, Subscription, Triage, Verdict


class Decisions(Protocol):
    """The part of a Transaction that triage needs."""

    async def verdicts(self, fingerprints: Sequence[str]) -> Mapping[str, Triage]:
        """Those of these findings that somebody judged."""
        ...

    async def all_verdicts(self) -> tuple[Triage, ...]:
        """What was ever judged, the oldest first."""
        ...

    async def set_verdict(self, triage: Triage) -> None:
        """Keep a verdict; it takes the place of an earlier one on the same finding."""
        ...

    async def drop_verdict(self, fingerprint: str) -> None: ...

    async def tallies(self) -> Mapping[str, Mapping[Verdict, int]]:
        """By rule, how many of each verdict stand now; one on several places at once counts once."""
        ...

    async def add_mute(self, mute: Mute) -> int:
        """Keep a mute, and return its number."""
        ...

    async def mutes(self, now: datetime, chat: str = "", channel: str = "") -> tuple[Mute, ...]:
        """The mutes that hold now, of one channel or of all, the oldest first."""
        ...

    async def drop_mute(self, number: int) -> None: ...

    async def add_subscription(self, subscription: Subscription) -> int:
        """Keep a subscription, and return its number."""
        ...

    async def subscriptions(self) -> tuple[Subscription, ...]:
        """Those of all channels, the oldest first."""
        ...

    async def drop_subscription(self, number: int) -> None: ...

    async def habits(self, chat: str, channel: str) -> Habits | None:
        """How a channel wants to be told; None when nobody said so."""
        ...

    async def all_habits(self) -> tuple[tuple[str, str, Habits], ...]:
        """(chat, channel, habits) of every channel that has some."""
        ...

    async def set_habits(self, chat: str, channel: str, habits: Habits) -> None: ...

    async def address_of(self, person: Person) -> str:
        """The mail address that a person gave as their own, "" when they gave none."""
        ...

    async def set_address(self, person: Person, address: str) -> None: ...

    async def note_deed(self, deed: Deed) -> None:
        """Add a line to the audit table."""
        ...

    async def deeds(self, limit: int, words: str = "") -> tuple[Deed, ...]:
        """The newest lines of the audit table; with ``words``, those that have them in what was said."""
        ...

    async def stir(self, thread: str, due: datetime) -> None:
        """Have what channels see of a thread made anew at ``due``; of two times the earlier counts."""
        ...

    async def stirred(self, now: datetime, limit: int) -> tuple[str, ...]:
        """Threads whose time has come, the longest overdue first."""
        ...

    async def calm(self, thread: str, now: datetime) -> bool:
        """The thread is seen to, whose time has come; False when another replica did so meanwhile."""
        ...
