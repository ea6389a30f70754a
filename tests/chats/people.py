"""People who answer, and a chat that listens, for the tests of chats."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bot.model import Ask, Page, Reply
from bot.ports import Answerer, Chat, Linked

PATIENCE = 120.0  # seconds until a test gives up: far more than a loaded machine needs


class Person:
    """Answers every ask with its words, and keeps the asks."""

    def __init__(self, *, private: bool = True) -> None:
        self.asks: list[Ask] = []
        self._private = private

    async def __call__(self, ask: Ask) -> Reply | None:
        self.asks.append(ask)
        return Reply(Page(f"you said {ask.words}"), self._private)


@asynccontextmanager
async def listening(chat: Chat, answer: Answerer, linked: Linked | None = None) -> AsyncIterator[None]:
    ears = asyncio.create_task(chat.listen(answer, linked))
    try:
        await until(chat.healthy)
        yield
    finally:
        ears.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ears


async def until(ready: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        while not (found := ready()):
            await asyncio.sleep(0.02)
        return found
