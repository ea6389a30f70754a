"""Reviews a series in a child process, with what a tree says: hostile code can neither stall nor end the service."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from bot.model import Base, Known, Review, Series, Wanted
from bot.ports import ReviewError, Tree, TreeError
from bot.review import review, wants
from bot.workers import workers

ResultT = TypeVar("ResultT", Review, Wanted)
_MOST_QUESTIONS = 20
PATIENCE_SECONDS = 120.0


class Reviewer:
    """Call it with a series.  One review at a time; it is ended when it takes longer than ``patience`` seconds.

    ``known`` is what is taken for true of code that neither the series nor the tree shows.
    """

    def __init__(self, tree: Tree, known: Known, patience: float = PATIENCE_SECONDS) -> None:
        self._tree = tree
        self._known = known
        self._patience = patience
        self._turn = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0

    @property
    def tree(self) -> str:
        """The name of the tree, "" when there is none."""
        return self._tree.name

    async def __call__(self, series: Series) -> Review:
        """The review of a series.  Raises ReviewError when it crashed or took too long."""
        if not touches_c(series):
            return Review(series.key, base=self._tree.name)
        async with self._turn:
            try:
                return await asyncio.wait_for(self._again_if_killed(series), self._patience)
            except TimeoutError:
                self.close()
                raise ReviewError(f"the review took longer than {self._patience:g} seconds") from None
            except (BrokenProcessPool, MemoryError):
                self.close()
                raise ReviewError("the review ended its process, by a crash or for want of memory") from None
            except asyncio.CancelledError:
                self.close()
                raise
            except Exception as fault:
                raise ReviewError(f"the review failed: {type(fault).__name__}: {fault}") from fault

    async def _again_if_killed(self, series: Series) -> Review:
        try:
            return await self._review(series)
        except BrokenProcessPool:  # perhaps by somebody else's hand, or for memory that others took
            self.close()
            return await self._review(series)

    async def _review(self, series: Series) -> Review:
        base = Base(self._tree.name, known=self._known)
        try:
            for _ in range(_MOST_QUESTIONS):
                wanted = await self._run(wants, series, base)
                if not wanted:
                    break
                base = base.plus(wanted, await self._tree.answer(wanted))
        except TreeError as fault:
            base = Base(notes=(f"reviewed without the tree: {fault}",), known=self._known)
        found = await self._run(review, series, base)
        return found if base.name else replace(found, notes=tuple(dict.fromkeys((*base.notes, *found.notes))))

    async def _run(self, work: Callable[[Series, Base], ResultT], series: Series, base: Base) -> ResultT:
        loop = asyncio.get_running_loop()
        if self._pool is None:
            self._pool = workers(1)
            self._pid = await loop.run_in_executor(self._pool, os.getpid)
        return await loop.run_in_executor(self._pool, work, series, base)

    def close(self) -> None:
        """End the process, whatever it does."""
        pool, self._pool = self._pool, None
        if pool is not None:
            if self._pid:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
            pool.shutdown(wait=True, cancel_futures=True)
        self._pid = 0


def touches_c(series: Series) -> bool:
    """Whether a series changes any C.  The review of one that does not is empty, and no process need say so."""
    return any(file.path.endswith((".c", ".h")) and not file.binary for patch in series.patches for file in patch.files)


class Reviewers:
    """As a Reviewer, but as many reviews at a time as there are processes."""

    def __init__(self, tree: Tree, known: Known, number: int, patience: float = PATIENCE_SECONDS) -> None:
        self._all = tuple(Reviewer(tree, known, patience) for _ in range(number))
        self._free: asyncio.LifoQueue[Reviewer] = asyncio.LifoQueue()
        for one in self._all:
            self._free.put_nowait(one)

    async def __call__(self, series: Series) -> Review:
        """The review of a series.  Raises ReviewError when it crashed or took too long."""
        one = await self._free.get()
        try:
            return await one(series)
        finally:
            self._free.put_nowait(one)

    def close(self) -> None:
        """End the processes, whatever they do."""
        for one in self._all:
            one.close()
