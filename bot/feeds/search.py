"""The feed of what the search of a public-inbox finds: ``https://host/list/?q=QUERY``, answered as a packed mbox."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import AsyncGenerator, Generator
from typing import BinaryIO

from yarl import URL

from bot.feeds.opening import EndlessError, Unpacking, in_thread
from bot.feeds.splitting import MAX_MAIL_BYTES, mails
from bot.feeds.visitor import Manners, Visitor
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_MOST_PACKED = 128 << 20
_MOST_BYTES = 1 << 30
_MOST_MAILS = 100_000


class Search:
    """Mails that match the query of an address such as ``https://lore.kernel.org/kvm/?q=dfn:kvm_main.c+rt:2.week.ago..``.

    ``t=1`` in it adds the whole threads of what matches.  The server gives the newest first; they are turned round.
    There is no position to go on from: the same question is asked again, and mail that came before is known by its id.
    """

    def __init__(
        self, url: str, manners: Manners, *, name: str = "", limit: int = MAX_MAIL_BYTES, most: int = _MOST_BYTES
    ) -> None:
        self.name = name or url
        asked = URL(url, encoded=True)
        words = asked.query.get("q", "")
        if not words.strip():
            raise FeedError(f"{self.name}: it asks for nothing; write what to look for behind ?q=")
        more = {"t": "1"} if asked.query.get("t") else {}
        self._question = str(URL("/").with_query({"q": words, "x": "m", **more})).removeprefix("/")
        self._visitor = Visitor(str(asked.with_query(None).with_fragment(None)), manners, name=self.name)
        self._limit = limit
        self._most = most  # bytes of all mails together

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:  # noqa: ARG002
        """As in ports.Feed, but always everything."""
        with tempfile.TemporaryFile(prefix="search-") as packed:
            async with self._visitor.visit() as visit:
                answer = await visit.save(self._question, "application/gzip", _MOST_PACKED, packed)
            if answer.status == 404:
                return  # nothing matches
            if answer.body is None:
                raise FeedError(f"{self.name}: it finds more than {_MOST_PACKED} packed bytes; ask for less at once")
            async for item in in_thread(self._oldest_first(packed)):
                yield item

    async def count(self, position: str) -> int | None:  # noqa: ARG002
        return None

    def _oldest_first(self, packed: BinaryIO) -> Generator[RawMail | Unreadable, None, None]:
        with tempfile.TemporaryFile(prefix="search-") as unpacked:
            places, notes = self._unpacked(packed, unpacked)
            yield from notes
            for start, size in reversed(places):
                unpacked.seek(start)
                yield RawMail(self.name, "", unpacked.read(size))

    def _unpacked(self, packed: BinaryIO, into: BinaryIO) -> tuple[list[tuple[int, int]], list[Unreadable]]:
        """Write each mail into a file, and return where each is, and what is wrong with the answer."""
        places: list[tuple[int, int]] = []
        notes: list[Unreadable] = []
        longer = Unreadable(self.name, "it finds too much; the oldest of it was left out", "ask for less at once")
        packed.seek(0)
        try:
            with Unpacking(packed, self._most) as stream:
                for piece in mails(stream, 0, self._limit):
                    if len(places) == _MOST_MAILS:
                        notes.append(longer)
                        break
                    if piece.data is None:
                        reason = f"more than the {self._limit} bytes that a mail may have"
                        notes.append(Unreadable(self.name, reason, "read it by hand"))
                    else:
                        places.append((into.tell(), len(piece.data)))
                        into.write(piece.data)
        except EndlessError:
            notes.append(longer)
        except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
            notes.append(Unreadable(self.name, f"what it finds came damaged: {fault}", "ask again"))
        return places, notes
