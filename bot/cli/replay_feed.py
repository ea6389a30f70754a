"""Feeds as a replay reads them: from a day on, and with positions that say how many mails came before."""

from __future__ import annotations

import email.utils
import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime

from bot.model import RawMail, Unreadable
from bot.ports import Feed

_DATE = re.compile(rb"^Date:([^\n]{1,200})", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 1 << 18

Items = AsyncGenerator[RawMail | Unreadable, None]


class Since:
    """A feed without the mail that says it was sent before a day; mail without a date is kept."""

    def __init__(self, feed: Feed, since: datetime) -> None:
        self.name = feed.name
        self._feed = feed
        self._since = since if since.tzinfo else since.replace(tzinfo=UTC)

    async def since(self, position: str) -> Items:
        async for item in self._feed.since(position):
            if isinstance(item, Unreadable) or not self._too_old(item.data):
                yield item

    async def count(self, position: str) -> int | None:  # noqa: ARG002  not known without reading
        return None

    def _too_old(self, data: bytes) -> bool:
        found = _DATE.search(data[:_HEADER_BYTES].partition(b"\n\n")[0])
        if not found:
            return False
        try:
            sent = email.utils.parsedate_to_datetime(found[1].decode("ascii", "replace").strip())
        except ValueError:
            return False
        return (sent if sent.tzinfo else sent.replace(tzinfo=UTC)) < self._since


class Numbered:
    """A feed whose positions begin with the number of mails up to there, so that the cursor counts what was taken."""

    def __init__(self, feed: Feed) -> None:
        self.name = feed.name
        self._feed = feed

    async def since(self, position: str) -> Items:
        number, inner = taken(position), position.partition(" ")[2]
        async for item in self._feed.since(inner):
            number += 1
            inner = item.position or inner
            yield replace(item, position=f"{number} {inner}")

    async def count(self, position: str) -> int | None:
        return await self._feed.count(position.partition(" ")[2])


def taken(position: str) -> int:
    """How many mails a position of a Numbered feed is behind."""
    return int(position.partition(" ")[0] or 0)
