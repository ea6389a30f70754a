"""Jobs come round, never twice at the same time, and a stopping service lets them finish."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from bot.clock import WallClock

SOON = timedelta(milliseconds=10)
NEVER = timedelta(days=1)


def test_the_time_is_aware_and_utc() -> None:
    assert WallClock().now().tzinfo is UTC
    assert WallClock().now() <= datetime.now(UTC)


async def test_a_job_runs_at_once_and_again() -> None:
    clock, runs, thrice = WallClock(), 0, asyncio.Event()

    async def job() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            thrice.set()

    clock.every(SOON, "job", job)
    await asyncio.wait_for(thrice.wait(), 30)
    await clock.drain()


async def test_a_job_that_comes_once_a_day_runs_at_once_too() -> None:
    clock, ran = WallClock(), asyncio.Event()

    async def job() -> None:
        ran.set()

    clock.every(NEVER, "job", job)
    await asyncio.wait_for(ran.wait(), 30)
    await clock.drain()


async def test_a_job_never_runs_twice_at_the_same_time() -> None:
    clock, inside, most, rounds = WallClock(), 0, 0, 0
    enough = asyncio.Event()

    async def slow() -> None:
        nonlocal inside, most, rounds
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.05)  # five turns of its own
        inside -= 1
        rounds += 1
        if rounds == 3:
            enough.set()

    clock.every(SOON, "slow", slow)
    await asyncio.wait_for(enough.wait(), 30)
    await clock.drain()
    assert most == 1


async def test_what_a_job_raises_is_logged_and_told_and_its_next_run_comes() -> None:
    told: list[str] = []
    clock, runs, twice = WallClock(told.append), 0, asyncio.Event()

    async def failing() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            twice.set()
        raise ValueError("no luck")

    with structlog.testing.capture_logs() as logs:
        clock.every(SOON, "failing", failing)
        await asyncio.wait_for(twice.wait(), 30)
        await clock.drain()
    assert {(log["event"], log["job"]) for log in logs} == {("job failed", "failing")}
    assert len(logs) >= 2
    assert told == ["failing"] * len(logs)


async def test_draining_waits_for_what_runs_and_starts_nothing_more() -> None:
    clock, started, finished = WallClock(), asyncio.Event(), asyncio.Event()
    late = 0

    async def long() -> None:
        started.set()
        await asyncio.sleep(0.1)
        finished.set()

    async def quick() -> None:
        nonlocal late
        late += finished.is_set()

    clock.every(SOON, "long", long)
    clock.every(SOON, "quick", quick)
    await started.wait()
    await clock.drain()
    assert finished.is_set()
    before = late
    await asyncio.sleep(0.05)
    assert late == before


async def test_a_drain_that_is_cut_short_cancels_what_runs(caplog: pytest.LogCaptureFixture) -> None:
    clock, started, cancelled = WallClock(), asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    clock.every(SOON, "endless", endless)
    await started.wait()
    drain = asyncio.create_task(clock.drain())
    await asyncio.sleep(0)
    drain.cancel()
    await asyncio.gather(drain, return_exceptions=True)
    await asyncio.wait_for(cancelled.wait(), 30)
    await asyncio.sleep(0.05)
    assert not caplog.records  # it is no fault


async def test_a_clock_without_jobs_drains() -> None:
    await WallClock().drain()
