"""The feed that reads one mbox file, plain, gzip or xz, and goes on where it stopped when the file grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from pathlib import Path

from bot.feeds.opening import in_thread, opened, oversize
from bot.feeds.splitting import MAX_MAIL_BYTES, WITNESS_BYTES, Piece, Stream, is_mbox, mails, witness
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_HEAD = 4096


class Mbox:
    """Mails of an mbox file.

    A position is ``END:START:WITNESS`` of the last mail taken: its offsets in the decompressed file, and a digest of
    its first bytes.  When that mail is not there any more the file was replaced, and is read from its beginning.
    """

    def __init__(self, path: Path, *, name: str = "", limit: int = MAX_MAIL_BYTES) -> None:
        self.path = path
        self.name = name or str(path)
        self._limit = limit

    def since(self, position: str) -> AsyncIterator[RawMail | Unreadable]:
        return in_thread(self._read(position))

    async def count(self, position: str) -> int | None:
        return await asyncio.to_thread(lambda: sum(1 for _ in self._read(position)))

    def _read(self, position: str) -> Generator[RawMail | Unreadable, None, None]:
        with opened(self.path) as stream:
            head = stream.read(_HEAD)
            if head.strip() and not is_mbox(head):
                raise FeedError(
                    f"{self.name}: {self.path} does not begin with a From line as an mbox does; check the path"
                )
            start = _place(stream, position)
            if start is None:
                yield Unreadable(
                    self.name,
                    f"{self.path} was replaced or cut since it was last read",
                    "nothing to do: it is read again from its beginning, and mail seen before is known by its id",
                )
            for piece in mails(stream, start or 0, self._limit):
                yield self._item(piece)

    def _item(self, piece: Piece) -> RawMail | Unreadable:
        after = f"{piece.end}:{piece.start}:{piece.witness}"
        source = f"{self.name} at byte {piece.start}"
        if piece.headless:
            reason = "the end of a mail that was still being written when the file was last read"
            return Unreadable(source, reason, "write mail to another place first, then append it at once", after)
        if piece.data is None:
            return oversize(source, piece, self._limit, after)
        return RawMail(self.name, after, piece.data)


def _place(stream: Stream, position: str) -> int | None:
    """The offset to go on at, None when the mail before it is not there any more."""
    if not position:
        return 0
    try:
        end, start = (int(word) for word in position.split(":")[:2])
    except ValueError:
        return None
    if not 0 <= start < end:
        return None
    stream.seek(start)
    if witness(stream.read(min(WITNESS_BYTES, end - start))) != position.split(":")[-1]:
        return None
    stream.seek(end - 1)
    return end if stream.read(1) else None
