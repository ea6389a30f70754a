"""Lets what was begun in the database come to its end, also when the task that waits for it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


async def completed(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """What ``work`` gives.  A cancellation meanwhile is raised once it has ended.

    A connection that is cut in the middle of a statement is closed with the statement still open, and SQLite keeps the
    write lock for it; one that is cut while it is being made is closed by nobody.
    """
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cancelled = True
    if not cancelled:
        return task.result()
    if not task.cancelled():
        task.exception()  # seen: what it raised matters no more
    raise asyncio.CancelledError
