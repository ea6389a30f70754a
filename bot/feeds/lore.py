"""The feed that follows a list on lore.kernel.org, or any other public-inbox, over HTTP."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from bot.feeds.atom import AtomError, Entry, entries
from bot.feeds.ground import Ground
from bot.feeds.splitting import MAX_MAIL_BYTES, mails
from bot.feeds.visitor import Answer, Manners, Visit, Visitor
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_PAGE_BYTES = 64 << 20  # a page shows its mails whole
_ESCAPES = 1 << 16  # by which a mail may be longer than itself on the wire
_AT_ONCE = 16
_AT_ONCE_BYTES = 8 << 20
_MOST = 50_000  # mails that one reading will page through
_DEEP_SECONDS = 3600.0
_LOOKS = 6  # for a mail that is listed and not there: a public-inbox lists mail of a new epoch before it can show it
_FOUND_AT_ONCE = 200  # by public-inbox's search


def escaped(message_id: str) -> str:
    """A Message-ID as public-inbox writes it in an address."""
    return quote(message_id, safe="-._~!$&'()*+,;=:@")


class Lore:
    """Mails of ``https://host/list/``: its newest, by Atom, back to those that are known; each as raw bytes.

    Pages show the newest first, by the second in which the archive got a mail.  Pages are turned until one brings
    nothing new; each hour, and at first, until all of the remembered ground was looked at, for mail that came in late.
    At its beginning the feed takes the ``backlog`` newest mails (0: all).  A mail whose time lies before all remembered
    ground cannot be seen this way; git and NNTP have no such gap.
    """

    def __init__(
        self, url: str, manners: Manners, *, name: str = "", backlog: int = 0, limit: int = MAX_MAIL_BYTES
    ) -> None:
        self.name = name or url
        self._visitor = Visitor(url, manners, name=self.name)
        self._backlog = backlog or _MOST
        self._limit = limit
        self._deep_at = -_DEEP_SECONDS
        self._missed: Counter[str] = Counter()  # how often each mail was looked for in vain
        self._unchanged: tuple[str, Mapping[str, str]] = ("", {})  # a position after which nothing was new

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:
        """As in ports.Feed.  No connection is open while the taker is at work."""
        ground = Ground.of(position)
        found, ground, notes = await self._new(ground, position)
        for note in notes:
            yield Unreadable(self.name, note, "read what is missing from a mirror by git, or over NNTP")
        while found:
            taken, fault = await self._fetched(found)
            for entry, item in zip(found, taken, strict=False):
                if item is None:
                    continue  # it is no known ground, and is looked for again at the next poll
                ground = ground.after(entry, _now())
                yield self._placed(item, str(ground))
            if fault is not None:
                raise fault
            found = found[len(taken) :]

    async def count(self, position: str) -> int | None:
        found, _, _ = await self._new(Ground.of(position), position)
        return len(found)

    async def _new(self, ground: Ground, position: str) -> tuple[list[Entry], Ground, list[str]]:
        """What is new, oldest first; the ground to begin on; and what could not be seen."""
        deep = time.monotonic() - self._deep_at >= _DEEP_SECONDS
        async with self._visitor.visit() as visit:
            known, validators = self._unchanged
            first = await self._page(visit, "", validators if known == position and not deep else {})
            if first.status == 304:
                return [], ground, []
            pages = _Pages(self, visit, ground, deep=deep or not ground.begun)
            await pages.read(first, self._backlog if not ground.begun else _MOST)
        if deep:
            self._deep_at = time.monotonic()
        found = list(pages.new.values())
        found.reverse()
        found.sort(key=lambda entry: entry.stamp)  # it is stable: mails of one second stay in the order they came
        if not found:
            self._unchanged = position, first.validators
        if pages.cut and not ground.begun:
            found = found[-self._backlog :]
            ground = Ground(floor=found[0].stamp)
        elif pages.cut:
            pages.notes.append(f"more than {_MOST} mails are new; the older ones of them were not read")
        return found, ground, pages.notes

    async def _page(self, visit: Visit, query: str, validators: Mapping[str, str] | None = None) -> Answer:
        answer = await visit.get(f"new.atom{query}", "application/atom+xml", _PAGE_BYTES, validators)
        if answer.status == 404 and not query:
            # An inbox without mail has no feed, but it has a description of itself.
            about = await visit.get("_/text/config/raw", "text/plain", _ESCAPES)
            if about.status == 404:
                raise FeedError(f"{self.name}: there is no inbox at {self._visitor.home}; check the path")
        return answer

    def entries(self, answer: Answer) -> tuple[tuple[Entry, ...], int]:
        """The entries of a page.  Raises FeedError."""
        if answer.status == 404:
            return (), 0
        if answer.body is None:
            raise FeedError(f"{self.name}: a page of it has more than {_PAGE_BYTES} bytes; read it by git or NNTP")
        try:
            return entries(answer.body)
        except AtomError as fault:
            raise FeedError(f"{self.name}: what it gives is no Atom feed: {fault}; check the address") from None

    async def _fetched(self, wanted: Sequence[Entry]) -> tuple[list[RawMail | Unreadable | None], FeedError | None]:
        """The first of the wanted mails, None for one that is not there yet, and why there are no more of them."""
        taken: list[RawMail | Unreadable | None] = []
        size = 0
        try:
            async with self._visitor.visit() as visit:
                for entry in wanted[:_AT_ONCE]:
                    taken.append(item := await self._mail(visit, entry.message_id))
                    size += len(item.data) if isinstance(item, RawMail) else 0
                    if size > _AT_ONCE_BYTES:
                        break
        except FeedError as fault:
            return taken, fault
        return taken, None

    async def _mail(self, visit: Visit, message_id: str) -> RawMail | Unreadable | None:
        answer = await visit.get(f"{escaped(message_id)}/raw", "text/plain", self._limit + _ESCAPES)
        source = f"{self.name} {message_id}"
        if answer.status == 404:
            self._missed[message_id] += 1
            if self._missed[message_id] < _LOOKS:
                return None
            del self._missed[message_id]
            return Unreadable(source, "it was taken out of the archive since it was listed", "nothing to do")
        self._missed.pop(message_id, None)
        piece = None if answer.body is None else next(mails(io.BytesIO(answer.body), 0, self._limit), None)
        if answer.body is None or (piece is not None and piece.data is None):
            return Unreadable(source, f"more than the {self._limit} bytes that a mail may have", "read it by hand")
        if piece is None or piece.data is None or piece.headless:
            raise FeedError(f"{source}: what the server gives is no mail; check the address")
        return RawMail(self.name, "", piece.data)

    def _placed(self, item: RawMail | Unreadable, position: str) -> RawMail | Unreadable:
        if isinstance(item, RawMail):
            return RawMail(item.feed, position, item.data)
        return Unreadable(item.source, item.reason, item.cure, position)

    async def page(self, visit: Visit, before: int) -> Answer:
        """The page of mails that came in this second or before."""
        return await self._page(visit, f"?t={datetime.fromtimestamp(before, UTC):%Y%m%d%H%M%S}")

    async def found(self, visit: Visit, second: int, offset: int) -> Answer:
        """Mails that came in one second, as the search finds them."""
        return await visit.get(f"?q=rt:{second}..{second}&x=A&o={offset}", "application/atom+xml", _PAGE_BYTES)


class _Pages:
    """Pages turned back from the newest, until known ground."""

    def __init__(self, feed: Lore, visit: Visit, ground: Ground, *, deep: bool) -> None:
        self.new: dict[str, Entry] = {}
        self.notes: list[str] = []
        self.cut = False
        self._feed, self._visit, self._ground, self._deep = feed, visit, ground, deep
        self._largest = 0

    async def read(self, page: Answer, most: int) -> None:
        """Take a page and those before it, until ``most`` mails are found.  Raises FeedError."""
        before = 1 << 32
        while True:
            named, nameless = self._feed.entries(page)
            here = [entry for entry in named if entry.stamp <= before]
            if len(here) < len(named):
                self.notes.append("it turns no pages, and only its newest mails can be seen")
                return
            if nameless:
                self.notes.append(f"{nameless} entries name no mail")
            news = self._take(here)
            oldest = min((entry.stamp for entry in here), default=0)
            self._largest = max(self._largest, len(named))
            if not here or len(named) < self._largest or oldest == 0:
                return
            if len(self.new) > most:
                self.cut = True
                return
            if not news and (not self._deep or oldest < self._ground.floor):
                return
            if oldest == before:
                await self._crowd(oldest)
                oldest -= 1
            before = oldest
            page = await self._feed.page(self._visit, before)

    def _take(self, named: Sequence[Entry]) -> bool:
        """Keep those that are new; whether any is no known ground, be it that it was met on the page before."""
        news = [entry for entry in named if not self._ground.knows(entry, _now())]
        self.new.update({entry.message_id: entry for entry in news if entry.message_id not in self.new})
        return bool(news)

    async def _crowd(self, second: int) -> None:
        """More mails came in one second than a page holds: ask the search for them, which not every server has."""
        offset = 0
        while offset < _MOST:
            answer = await self._feed.found(self._visit, second, offset)
            named, _ = self._feed.entries(answer)
            if not offset and not named:
                when = datetime.fromtimestamp(second, UTC)
                self.notes.append(f"more mails came at {when:%Y-%m-%d %H:%M:%S} than a page holds, and no search helps")
            self._take([entry for entry in named if entry.stamp == second])
            if len(named) < _FOUND_AT_ONCE:
                return
            offset += len(named)


def _now() -> int:
    return int(time.time())
