"""The console as a chat: cards and their replies as text on standard output."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import TextIO

from bot.model import Page, Text
from bot.ports import Answerer, ChatError, Linked
from bot.report.text import render

_INDENT = "  │ "


def _terminal_width() -> int:
    return min(shutil.get_terminal_size().columns, 120)


class Console:
    """A chat that only speaks.

    A card stands at the margin, replies are indented below it, and an edited card is told in short: its title and its
    state.  What was posted is remembered for the life of the process.
    """

    name = "console"
    pace = timedelta(0)
    private = False  # nobody speaks to a console

    def __init__(self, out: TextIO, width: Callable[[], int] = _terminal_width) -> None:
        self._out = out
        self._width = width
        self._posted: set[tuple[str, str]] = set()

    async def post(
        self,
        channel: str,
        page: Page,
        *,
        thread: str,
        delivery: str,
        broadcast: bool = False,  # noqa: ARG002  the port's
    ) -> str:
        """Print a page.  The remote id depends on channel and delivery alone.  Raises ChatError."""
        indent = _INDENT if thread else ""
        self._print(channel if not thread else "", page, indent)
        remote_id = _remote_id(channel, delivery)
        self._posted.add((channel, remote_id))
        return remote_id

    async def edit(self, channel: str, remote_id: str, page: Page) -> None:
        """Print what changed: the first words of a card are its state.  Raises ChatError."""
        words = tuple(part for part in page.parts if isinstance(part, Text))[:1]
        known = (channel, remote_id) in self._posted
        self._print(channel, Page(page.headline, "" if known else page.link, page.level, words), "~ ")
        self._posted.add((channel, remote_id))

    async def members(self, group: str) -> frozenset[str]:  # noqa: ARG002  the port's
        """A console has no groups."""
        return frozenset()

    async def find(self, channel: str, delivery: str, *, thread: str) -> str | None:  # noqa: ARG002  the port's
        remote_id = _remote_id(channel, delivery)
        return remote_id if (channel, remote_id) in self._posted else None

    async def listen(self, answer: Answerer, linked: Linked | None = None) -> None:  # noqa: ARG002  the port's
        """Nobody speaks to a console; this waits until it is cancelled."""
        await asyncio.Event().wait()

    def healthy(self) -> bool:
        return not self._out.closed

    def _print(self, channel: str, page: Page, indent: str) -> None:
        text = render(page, self._width() - len(indent))
        lines = [f"{indent}{line}".rstrip() for line in text.splitlines()]
        head = [f"── {channel} " + "─" * max(self._width() - len(channel) - 4, 0)] if channel else []
        encoding = self._out.encoding or "utf-8"
        said = "\n".join((*head, *lines, "", ""))
        try:
            self._out.write(said.encode(encoding, "replace").decode(encoding))
            self._out.flush()
        except (OSError, ValueError) as fault:
            raise ChatError(f"the console cannot be written to: {fault}", final=True) from fault


def _remote_id(channel: str, delivery: str) -> str:
    return hashlib.sha256(f"{channel}\0{delivery}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
