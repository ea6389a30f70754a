"""What a transaction knows of the replicas of the service that share one database, and of what each of them holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

FEED, PAGE, REVIEW = "feed", "page", "review"  # the kinds of things that are held

Holdings = Mapping[str, Mapping[str, tuple[str, ...]]]
"""By replica, and then by kind, the names of what it holds."""


class Replicas(Protocol):
    """The part of a Transaction by which replicas share the work.

    What a replica holds is its own while its lease lasts.  A store that joined nobody shares with nobody: it may have
    everything, and nothing is written down.
    """

    async def claim(self, kind: str, names: Sequence[str]) -> tuple[str, ...]:
        """Those of these that no other replica holds: this one holds them from now on."""
        ...

    async def let_go(self, kind: str, names: Sequence[str] = ()) -> None:
        """This replica holds these no more; without names, nothing of this kind."""
        ...

    async def holdings(self) -> Holdings:
        """All replicas whose leases were not found to have ended, also those that hold nothing."""
        ...

    async def bury(self) -> tuple[str, ...]:
        """Forget the replicas whose leases ended, by the clock of the database, and set free what they held."""
        ...
