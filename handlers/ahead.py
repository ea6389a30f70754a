"""Reviews that are begun before their turn, so that several processes have work while results are saved in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bot.model import Review, Series
from bot.ports import Reviewing


@asynccontextmanager
async def begun_ahead(review: Reviewing, due: Sequence[Series], at_once: int) -> AsyncIterator[Reviewing]:
    """``review``, to be asked of these series one after the other; ``at_once`` of them are under way meanwhile.

    Reviews that nobody asked for in the end are cancelled.
    """
    waiting = deque(series for series in due if series.patches)
    running: dict[str, asyncio.Future[Review]] = {}

    async def next_one(series: Series) -> Review:
        while waiting and len(running) < at_once:
            coming = waiting.popleft()
            running[coming.key] = asyncio.ensure_future(review(coming))
        return await running.pop(series.key)

    try:
        yield next_one
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
