"""The feed that follows a newsgroup of a public-inbox over NNTP: article numbers tell what is new."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bot.feeds.addresses import lookup
from bot.feeds.splitting import MAX_MAIL_BYTES
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_PORTS = {"nntp": 119, "nntps": 563}
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9+_.-]{0,200}")
_GROUPED = re.compile(rb"211 \d{1,15} (\d{1,15}) (\d{1,15})\b")  # RFC 3977, section 6.1.1
_AT_ONCE = 50
_AT_ONCE_BYTES = 8 << 20
_CHUNK = 1 << 16
_LONGEST_LINE = 2048
_LOOKS = 6  # at an article that is there and empty: a public-inbox lists mail of a new epoch before it can show it
_ABSENT = (b"423", b"430")
_END = b"\r\n.\r\n"


class Nntp:
    """Articles of ``nntp://host/group`` (or ``nntps``) by number; a position is the number of the last one taken.

    At its beginning the feed takes the ``backlog`` newest articles (0: all).  Articles come with the LF line ends that
    archives keep them with.  A server that was rebuilt, so that it has fewer articles than were taken, is read again
    from its beginning.
    """

    def __init__(
        self, url: str, *, name: str = "", backlog: int = 0, limit: int = MAX_MAIL_BYTES, within: float = 60.0
    ) -> None:
        parts = urlsplit(url)
        self.name = name or url
        self._host, self._group = parts.hostname or "", unquote(parts.path).strip("/")
        if parts.scheme not in _PORTS or not self._host or not _GROUP.fullmatch(self._group):
            raise FeedError(f"{self.name}: {url[:200]!r} is no newsgroup; write nntps://host/group")
        self._port = parts.port or _PORTS[parts.scheme]
        self._secret = parts.scheme == "nntps"
        self._backlog = backlog
        self._limit = limit
        self._within = within
        self._empty: Counter[int] = Counter()  # how often each article was looked at in vain

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:
        """As in ports.Feed.  No connection is open while the taker is at work."""
        number, high, note = await self._extent(position)
        if note:
            yield Unreadable(self.name, note, "nothing to do: mail that was seen before is known by its id")
        while number <= high:
            taken, fault, number = await self._fetched(number, high)
            for item in taken:
                yield item
            if fault is not None:
                raise fault
            if self._empty[number]:
                return  # it is looked at again at the next poll

    async def count(self, position: str) -> int | None:
        """How many numbers there are; some may have been taken away."""
        number, high, _ = await self._extent(position)
        return max(high - number + 1, 0)

    async def _extent(self, position: str) -> tuple[int, int, str]:
        """The first number to take, the last one, and what is odd about that."""
        async with self._visit() as line:
            low, high = await self._grouped(line)
        known = int(position) if position.isdecimal() and len(position) < 16 else 0
        if known and known > high:
            return low, high, f"its last article was {known}, now it is {high}: it is read again from its beginning"
        if not known and self._backlog:
            low = max(low, high - self._backlog + 1)
        return max(low, known + 1), high, ""

    async def _grouped(self, line: _Line) -> tuple[int, int]:
        line.say([f"GROUP {self._group}"])
        answer = await line.heard()
        found = _GROUPED.match(answer)
        if not found:
            raise FeedError(f"{self.name}: the server has no group {self._group!r}: {_shown(answer)}; check the path")
        return max(int(found[1]), 1), int(found[2])

    async def _fetched(self, first: int, high: int) -> tuple[list[RawMail | Unreadable], FeedError | None, int]:
        """Some articles from a number on, why there are no more when it fails, and the number to go on with."""
        taken: list[RawMail | Unreadable] = []
        numbers = range(first, min(first + _AT_ONCE, high + 1))
        size = 0
        number = first
        try:
            async with self._visit() as line:
                await self._grouped(line)
                line.say([f"ARTICLE {number}" for number in numbers])
                for number in numbers:
                    item = await self._article(line, number)
                    if self._empty[number]:
                        return taken, None, number
                    if item is not None:
                        taken.append(item)
                        size += len(item.data) if isinstance(item, RawMail) else 0
                    if size > _AT_ONCE_BYTES:
                        break
        except FeedError as fault:
            return taken, fault, number
        return taken, None, number + 1

    async def _article(self, line: _Line, number: int) -> RawMail | Unreadable | None:
        answer = await line.heard()
        if answer.startswith(_ABSENT):
            return None  # it was taken away
        if not answer.startswith(b"220"):
            raise FeedError(f"{self.name}: article {number} is refused: {_shown(answer)}; ask the server's operator")
        data = await line.block(self._limit)
        if data is None:
            reason = f"more than the {self._limit} bytes that a mail may have"
            return Unreadable(f"{self.name} {number}", reason, "read it by hand", str(number))
        if not data.strip():
            return self._nothing(number)
        self._empty.pop(number, None)
        return RawMail(self.name, str(number), data)

    def _nothing(self, number: int) -> Unreadable | None:
        """What is said of an article that is there and empty; nothing at the first looks."""
        self._empty[number] += 1
        if self._empty[number] < _LOOKS:
            return None
        del self._empty[number]
        return Unreadable(f"{self.name} {number}", "the server has nothing in it", "read it elsewhere", str(number))

    @asynccontextmanager
    async def _visit(self) -> AsyncIterator[_Line]:
        """A connection that was greeted; what goes wrong on it is a FeedError."""
        try:
            async with asyncio.timeout(self._within):
                (_, address), *_ = await lookup(self._host, self._port)
                secret = {"ssl": ssl.create_default_context(), "server_hostname": self._host} if self._secret else {}
                reader, writer = await asyncio.open_connection(address, self._port, **secret)  # type: ignore[arg-type]
                try:
                    line = _Line(reader, writer)
                    greeting = await line.heard()
                    if greeting[:3] not in {b"200", b"201"}:
                        raise FeedError(f"{self.name}: the server is no open news server: {_shown(greeting)}")
                    yield line
                finally:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()
        except TimeoutError:
            raise FeedError(
                f"{self.name}: {self._host} gave no whole answer within {self._within:g} seconds; check the address"
            ) from None
        except (OSError, EOFError, ValueError) as fault:
            why = str(fault)[:200] or type(fault).__name__
            raise FeedError(
                f"{self.name}: {self._host} port {self._port} cannot be read: {why}; "
                "check the address, or mirror it and name the copy"
            ) from None


@dataclass
class _Line:
    """A conversation: requests go out together, answers come back in their order."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _held: bytes = b""

    def say(self, requests: Sequence[str]) -> None:
        self.writer.write("".join(f"{request}\r\n" for request in requests).encode("ascii"))

    async def heard(self) -> bytes:
        """One line of an answer."""
        while b"\r\n" not in self._held:
            if len(self._held) > _LONGEST_LINE:
                raise ValueError("it answers with an endless line")
            await self._more()
        answer, _, self._held = self._held.partition(b"\r\n")
        return answer

    async def block(self, limit: int) -> bytes | None:
        """What follows up to a line with a dot alone; None when it is longer than the limit, in bounded memory."""
        self._held = b"\r\n" + self._held  # so that an empty block ends like any other
        parts = bytearray()
        lost = False
        while (end := self._held.find(_END)) < 0:
            ready = len(self._held) - len(_END) + 1
            if ready > 0:
                parts += self._held[:ready]
                self._held = self._held[ready:]
            if len(parts) > 2 * limit + _CHUNK:
                lost, parts = True, bytearray()
            await self._more()
        parts += self._held[: end + 2]
        self._held = self._held[end + len(_END) :]
        data = bytes(parts).replace(b"\r\n..", b"\r\n.").replace(b"\r\n", b"\n")[1:]
        return None if lost or len(data) > limit else data

    async def _more(self) -> None:
        chunk = await self.reader.read(_CHUNK)
        if not chunk:
            raise EOFError("it hung up in the middle of an answer")
        self._held += chunk


def _shown(answer: bytes) -> str:
    return repr(answer[:120].decode("utf-8", "replace"))
