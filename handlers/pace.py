"""How fast a channel may be spoken in: steadily, with a short burst after a silence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

_BURST = 3  # messages that may leave at once after a silence
_LONGEST = timedelta(minutes=1)  # a place rests never so long: who says so had a clock that was set back since
Place = tuple[str, str]  # (chat, channel)


class Pace:
    """For each place, when the messages sent so far are paid off at one for each ``pace``, as seen ``now``.

    This is the generic cell rate algorithm (ITU-T I.371): one time for each place, and no timers.  ``paid`` are the
    places that must rest; all replicas share them.
    """

    def __init__(self, paid: Mapping[Place, datetime], now: datetime) -> None:
        self.paid = {place: moment for place, moment in paid.items() if now < moment < now + _LONGEST}
        self._now = now

    def may_speak(self, place: Place, pace: timedelta) -> bool:
        """May a message leave now?"""
        return self.paid.get(place, self._now) - self._now <= (_BURST - 1) * pace

    def after(self, place: Place, pace: timedelta) -> datetime:
        """When the place is paid off once another message left, or an edit."""
        return self.paid.get(place, self._now) + pace
