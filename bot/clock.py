"""The clock on the wall: the time, and jobs that come round; the only door to APScheduler."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

Job = Callable[[], Awaitable[None]]
LOG = structlog.get_logger("clock")
_JUMP_SECONDS = 2.0  # more than a clock is slewed, or waits for its turn, between two looks
_LOOK_SECONDS = 1.0


class _Each(BaseTrigger):  # type: ignore[misc]
    """Each interval from now on: IntervalTrigger would count up all turns of the years that a clock was set forward."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:  # noqa: ARG002  not ours
        return now + self._interval


class WallClock:
    """A Clock of bot.ports.  Make it where an event loop runs; end it with ``drain``.

    ``failed`` is told the name of each job that raised, beside the log.  Jobs come round however the clock is set.
    """

    def __init__(self, failed: Callable[[str], None] = lambda _: None) -> None:
        self._failed = failed
        # It tells each run, and each turn that is skipped because the last run still goes on: both are as planned.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._running: set[asyncio.Task[None]] = set()
        self._draining = False
        self._watch: asyncio.Task[None] | None = None

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
            self._watch = asyncio.ensure_future(self._watched())
        self._scheduler.add_job(
            turn,
            _Each(interval),
            name=name,
            next_run_time=self.now(),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )

    async def drain(self) -> None:
        """Start nothing more and wait for what runs.  Cancelled, it cancels what runs, and waits for that."""
        self._draining = True
        if self._watch is not None:
            self._watch.cancel()
        if self._scheduler.running:
            self._scheduler.pause()  # shutting down now would cancel what runs
        try:
            await asyncio.gather(*self._running, return_exceptions=True)
        finally:
            if self._scheduler.running:
                self._scheduler.shutdown(wait=False)
                await asyncio.sleep(0)  # it shuts down in the next round of the loop

    async def _watched(self) -> None:
        """Have all jobs run at once when the clock was set, or the machine slept: turns are planned by it."""
        known = _ahead()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if abs((ahead := _ahead()) - known) > _JUMP_SECONDS:
                LOG.warning(
                    "the clock jumped", seconds=round(ahead - known), cure="all jobs run now, and go on from there"
                )
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=self.now())
            known = ahead

    async def _run(self, name: str, job: Job) -> None:
        if self._draining:
            return
        task = asyncio.ensure_future(self._logged(name, job))
        self._running.add(task)
        try:
            await task
        except asyncio.CancelledError:
            if not self._draining:
                raise  # else it was cut short, which whoever drains says; to APScheduler it would be a fault
        finally:
            self._running.discard(task)

    async def _logged(self, name: str, job: Job) -> None:
        try:
            await job()
        except Exception:  # its next run comes as planned
            LOG.exception("job failed", job=name)
            self._failed(name)


def _ahead() -> float:
    """By how many seconds the clock on the wall is ahead of the one that nobody sets."""
    return time.time() - time.monotonic()
