"""The clock on the wall: the time, and jobs that come round; the only door to APScheduler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

Job = Callable[[], Awaitable[None]]
LOG = structlog.get_logger("clock")


class WallClock:
    """A Clock of bot.ports.  Make it where an event loop runs; end it with ``drain``.

    ``failed`` is told the name of each job that raised, beside the log.
    """

    def __init__(self, failed: Callable[[str], None] = lambda _: None) -> None:
        self._failed = failed
        # It tells each run, and each turn that is skipped because the last run still goes on: both are as planned.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._running: set[asyncio.Task[None]] = set()
        self._draining = False

    def now(self) -> datetime:
        return datetime.now(UTC)

    def every(self, interval: timedelta, name: str, job: Job) -> None:
        """Run ``job`` at once and then each ``interval``; ``name`` is what the log calls it.

        A turn that was missed, by a long run or a sleeping machine, is made up for once, however many were missed.
        """

        async def turn() -> None:
            await self._run(name, job)

        if not self._scheduler.running:
            self._scheduler.start()
        self._scheduler.add_job(
            turn,
            "interval",
            seconds=interval.total_seconds(),
            name=name,
            next_run_time=self.now(),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    async def drain(self) -> None:
        """Start nothing more and wait for what runs.  Cancelled, it cancels what runs, and waits for that."""
        self._draining = True
        if self._scheduler.running:
            self._scheduler.pause()  # shutting down now would cancel what runs
        try:
            await asyncio.gather(*self._running, return_exceptions=True)
        finally:
            if self._scheduler.running:
                self._scheduler.shutdown(wait=False)
                await asyncio.sleep(0)  # it shuts down in the next round of the loop

    async def _run(self, name: str, job: Job) -> None:
        if self._draining:
            return
        task = asyncio.ensure_future(self._logged(name, job))
        self._running.add(task)
        try:
            await task
        finally:
            self._running.discard(task)

    async def _logged(self, name: str, job: Job) -> None:
        try:
            await job()
        except Exception:  # its next run comes as planned
            LOG.exception("job failed", job=name)
            self._failed(name)
