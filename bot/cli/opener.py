"""Opens mail in processes of their own, so that reading an archive uses all cores."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Self, TypeAlias

from bot.model import Message, Patch, Unreadable
from bot.workers import workers
from handlers.mail_arrived import Letter
from handlers.poll_due import Item, Opened, in_thread, open_all

_Read: TypeAlias = tuple[Message, Patch | None] | Unreadable


class Opener:
    """An Opening of handlers.poll_due.  Leave its block to end the processes."""

    def __init__(self, number: int) -> None:
        self._pool = workers(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def __call__(self, items: Sequence[Item]) -> Sequence[Opened]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, _read, items)
        except BrokenProcessPool:  # somebody killed it: one process is left, and it is slower, but nothing is lost
            return await in_thread(items)
        return [_letter(item, one) for item, one in zip(items, found, strict=True)]


def _read(items: Sequence[Item]) -> list[_Read]:
    """The mails without their bytes, which need not come back."""
    return [one if isinstance(one, Unreadable) else (one.message, one.patch) for one in open_all(items)]


def _letter(item: Item, read: _Read) -> Opened:
    return read if isinstance(read, Unreadable) else Letter(item, *read)  # type: ignore[arg-type]
