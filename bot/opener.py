"""Opens mail in processes of their own: an archive uses all cores, and no mail can stall or end the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Self, TypeAlias

import structlog

from bot.model import Message, Patch, Unreadable
from bot.workers import workers
from handlers.mail_arrived import Letter
from handlers.poll_due import Item, Opened, open_all

LOG = structlog.get_logger("mail")
_Read: TypeAlias = tuple[Message, Patch | None] | Unreadable
PATIENCE_SECONDS = 120.0  # for a batch, of which the largest takes two


class Opener:
    """An Opening of handlers.poll_due.  Leave its block to end the processes.

    A batch that takes longer than ``patience`` seconds, or ends its process, is opened mail by mail; the one that does
    so alone is unreadable.
    """

    def __init__(self, number: int, patience: float = PATIENCE_SECONDS) -> None:
        self._number, self._patience = number, patience
        self._pool: ProcessPoolExecutor | None = None
        self._turn = asyncio.Lock()  # mails that are opened one by one have the processes for themselves

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they do."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):  # noqa: SLF001  the one way to those that hang
            process.kill()
        pool.shutdown(wait=True)  # what waits for them hears that they are gone

    async def __call__(self, items: Sequence[Item]) -> Sequence[Opened]:
        try:
            return await self._opened(items)
        except (BrokenProcessPool, MemoryError, TimeoutError):
            LOG.warning("mail stalls", mails=len(items), cure="each is opened by itself now")
        async with self._turn:
            return [await self._alone(item) for item in items]

    async def _alone(self, item: Item) -> Opened:
        for last in (False, True):  # perhaps somebody else's hand ended the process
            try:
                return (await self._opened([item]))[0]
            except TimeoutError:
                return _refused(item, f"reading it took longer than {self._patience:g} seconds")
            except (BrokenProcessPool, MemoryError):
                if last:
                    return _refused(item, "reading it ended its process, by a crash or for want of memory")
        raise AssertionError

    async def _opened(self, items: Sequence[Item]) -> Sequence[Opened]:
        """Raises TimeoutError, MemoryError or BrokenProcessPool, after which the processes are new."""
        pool = self._pool = self._pool or workers(self._number)
        work = asyncio.get_running_loop().run_in_executor(pool, _read, items)
        try:
            found = await asyncio.wait_for(work, self._patience)
        except (BrokenProcessPool, MemoryError, TimeoutError):
            if self._pool is pool:
                self.close()
            raise
        return [_letter(item, one) for item, one in zip(items, found, strict=True)]


def _refused(item: Item, reason: str) -> Unreadable:
    source = item.source if isinstance(item, Unreadable) else f"{item.feed} {item.position}"
    return Unreadable(source, reason, "please report it as a bug, with the mail", position=item.position)


def _read(items: Sequence[Item]) -> list[_Read]:
    """The mails without their bytes, which need not come back."""
    return [one if isinstance(one, Unreadable) else (one.message, one.patch) for one in open_all(items)]


def _letter(item: Item, read: _Read) -> Opened:
    return read if isinstance(read, Unreadable) else Letter(item, *read)  # type: ignore[arg-type]
