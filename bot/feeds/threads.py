"""Fetches one thread from the configured archives, by the Message-ID or the address of any of its mails."""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from collections.abc import AsyncGenerator, Sequence
from urllib.parse import unquote

from yarl import URL

from bot.feeds.atom import is_id
from bot.feeds.lore import escaped
from bot.feeds.opening import EndlessError, Unpacking
from bot.feeds.splitting import MAX_MAIL_BYTES, mails
from bot.feeds.visitor import Answer, Manners, Visitor
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_MOST_PACKED = 32 << 20
_MOST_BYTES = 128 << 20
_MOST_MAILS = 2000
_AT_ONCE = 2
_REDIRECTOR = "r"  # a name that leads to whatever list has the mail


def elsewhere(address: str, homes: Sequence[str]) -> FeedError:
    """What is said of an address on a server that is not configured, and so is not asked."""
    hosts = ", ".join(sorted({str(URL(home).host) for home in homes}))
    return FeedError(
        f"{address[:200]!r}: is on a server that is not configured, and not asked; "
        f"give the Message-ID, or an address on {hosts}"
    )


class Threads:
    """Archives that are asked in turn, each as ``https://host/list/``; nothing else is ever contacted."""

    def __init__(self, urls: Sequence[str], manners: Manners, *, limit: int = MAX_MAIL_BYTES) -> None:
        self.urls = tuple(dict.fromkeys(urls))
        self._manners = manners
        self._limit = limit
        self._visitors: dict[URL, Visitor] = {}  # each remembers when its server wants to be left alone
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, wanted: str) -> tuple[RawMail | Unreadable, ...]:
        """As in ports.Archive."""
        message_id, homes = self._places(wanted)
        for home in homes:
            answer = await self._asked(home, message_id)
            if answer.status == 404:
                continue
            if answer.body is None:
                raise FeedError(f"{home}: the thread has more than {_MOST_PACKED} bytes; fetch it by hand")
            return await asyncio.to_thread(self._mails, home, answer.body)
        return ()

    async def _asked(self, home: str, message_id: str) -> Answer:
        origin = URL(home, encoded=True).origin()
        visitor = self._visitors.setdefault(origin, Visitor(str(origin), self._manners))
        path = home.removeprefix(str(visitor.home)).strip("/")
        async with self._at_once, visitor.visit() as visit:
            return await visit.get(f"{path}/{escaped(message_id)}/t.mbox.gz", "application/gzip", _MOST_PACKED)

    def _places(self, wanted: str) -> tuple[str, Sequence[str]]:
        """The Message-ID, and where to ask for it."""
        if not self.urls:
            raise FeedError(f"{wanted[:200]}: no archive is configured; set archive.url")
        words = wanted.strip().strip("<>")
        if not words.startswith(("http://", "https://")):
            message_id = words.removeprefix("id:").removeprefix("mid:")
            if not is_id(message_id) or not all(message_id.partition("@")):
                raise FeedError(f"{wanted[:200]!r}: is no Message-ID; give one such as 20260304.1234@example.org")
            return message_id, self.urls
        return self._of_address(words)

    def _of_address(self, address: str) -> tuple[str, Sequence[str]]:
        try:
            url = URL(address, encoded=True)
            origin = url.origin()
            names = [unquote(part) for part in url.raw_path.split("/")]
        except ValueError:
            raise FeedError(f"{address[:200]!r}: is no address; copy it from the archive") from None
        here = [home for home in self.urls if URL(home).origin() == origin]
        if not here:
            raise elsewhere(address, self.urls)
        at = next((place for place, name in enumerate(names) if "@" in name and is_id(name)), 0)
        if not at:
            raise FeedError(f"{address[:200]!r}: names no mail; copy the address of one, with its Message-ID")
        folder = "/".join(url.raw_path.split("/")[:at])
        own = [] if names[at - 1] in {"", _REDIRECTOR} else [f"{origin}{folder}/"]
        return names[at], tuple(dict.fromkeys([*own, *here]))

    def _mails(self, home: str, packed: bytes) -> tuple[RawMail | Unreadable, ...]:
        """The mails of a packed mbox, as many as a thread may have."""
        found: list[RawMail | Unreadable] = []
        longer = Unreadable(home, "the thread is too long", "fetch the rest of it by hand")
        try:
            if not packed:
                raise EOFError("it is empty")  # noqa: TRY301  one of the ways in which it is damaged
            with Unpacking(io.BytesIO(packed), _MOST_BYTES) as stream:
                for piece in mails(stream, 0, self._limit):
                    if len(found) == _MOST_MAILS:
                        found.append(longer)
                        break
                    if piece.data is None:
                        reason = f"more than the {self._limit} bytes that a mail may have"
                        found.append(Unreadable(home, reason, "read it by hand"))
                    else:
                        found.append(RawMail(home, "", piece.data))
        except EndlessError:
            found.append(longer)
        except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
            raise FeedError(f"{home}: the thread came damaged: {fault}; ask again") from None
        return tuple(found)


class Thread:
    """The feed of one thread, by the Message-ID or the address of any of its mails.  It is always given whole."""

    def __init__(self, wanted: str, threads: Threads) -> None:
        self.name = wanted
        self._threads = threads

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:  # noqa: ARG002
        """As in ports.Feed."""
        found = await self._threads.fetch(self.name)
        if not found:
            raise FeedError(f"{self.name[:200]}: no configured archive has it; check the id")
        for item in found:
            yield item

    async def count(self, position: str) -> int | None:  # noqa: ARG002  not known without fetching
        return None
