"""What a feed remembers of a list of mails without numbers: which it has taken, and before when it takes none."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from bot.feeds.atom import Entry

_MOST_MARKS = 200
_MOST_OF_A_SECOND = 5_000
_MARK = struct.Struct(">I8s")
_FLOOR = struct.Struct(">I")
_DIGEST_BYTES = 8  # long enough that nobody makes a Message-ID that passes for another


@dataclass(frozen=True, slots=True)
class Ground:
    """Mails from before ``floor`` (seconds since 1970) are known, and so are those in ``marks``: (stamp, digest).

    A position is this, packed; at most 200 marks are kept, and the oldest of them raises the floor when it goes.
    """

    floor: int = 0
    marks: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def of(cls, position: str) -> Ground:
        """What a position says; nothing is known at the beginning, and at one that another feed made."""
        try:
            packed = base64.b64decode(position.removeprefix("a1:"), validate=True)
            (floor,) = _FLOOR.unpack_from(packed)
            marks = tuple(_MARK.iter_unpack(packed[_FLOOR.size :]))
        except (binascii.Error, struct.error, ValueError):
            return cls()
        return cls(floor, marks) if position.startswith("a1:") else cls()

    def __str__(self) -> str:
        packed = _FLOOR.pack(self.floor) + b"".join(_MARK.pack(*mark) for mark in self.marks)
        return "a1:" + base64.b64encode(packed).decode("ascii")

    @property
    def begun(self) -> bool:
        return bool(self.marks)

    def knows(self, entry: Entry, now: int) -> bool:
        return min(entry.stamp, now) < self.floor or _digest(entry) in {digest for _, digest in self.marks}

    def after(self, entry: Entry, now: int) -> Ground:
        """The ground with one more mail taken.  A mail that says it comes from the future raises no floor."""
        marks = sorted((*self.marks, (min(entry.stamp, now), _digest(entry))))
        floor = self.floor
        # Those of the second that is being read stay: it may hold more, and the floor must not close over them.
        while len(marks) > _MOST_MARKS and (marks[0][0] < marks[-1][0] or len(marks) > _MOST_OF_A_SECOND):
            floor = max(floor, marks.pop(0)[0] + 1)
        return Ground(floor, tuple(marks))


def _digest(entry: Entry) -> bytes:
    return hashlib.sha256(entry.message_id.encode("utf-8", "replace")).digest()[:_DIGEST_BYTES]
