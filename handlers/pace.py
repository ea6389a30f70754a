"""How fast a channel may be spoken in: steadily, with a short burst after a silence."""

from __future__ import annotations

from datetime import datetime, timedelta

_BURST = 3  # messages that may leave at once after a silence


class Pace:
    """Remembers, for each place, when the messages sent so far are paid off at one for each ``pace``.

    This is the generic cell rate algorithm (ITU-T I.371): one time for each place, and no timers.
    """

    def __init__(self) -> None:
        self._paid: dict[tuple[str, str], datetime] = {}

    def may_speak(self, place: tuple[str, str], pace: timedelta, now: datetime) -> bool:
        """May a message leave now?  ``place`` is (chat, channel)."""
        return self._paid.get(place, now) - now <= (_BURST - 1) * pace

    def spoken(self, place: tuple[str, str], pace: timedelta, now: datetime) -> None:
        """A message left, or an edit."""
        self._paid[place] = max(self._paid.get(place, now), now) + pace

    def places(self, now: datetime) -> int:
        """How many places have not paid off yet; those that have are forgotten."""
        self._paid = {place: paid for place, paid in self._paid.items() if paid > now}
        return len(self._paid)
