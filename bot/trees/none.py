"""The tree of those who have none: every question stays open, and the review goes by the hunks."""

from __future__ import annotations

from bot.model import Answer, Wanted


class NoTree:
    """Knows nothing.  Its empty name says so."""

    name = ""

    async def answer(self, wanted: Wanted) -> Answer:  # noqa: ARG002  the port's signature
        return Answer()
