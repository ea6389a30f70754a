"""The service on a clock that runs fast: ``python -m tests.soak.life BEGUN SPEED``, settings from the environment."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot import logs
from bot.app import App
from bot.clock import WallClock
from bot.ports import Clock
from config.settings import load

_SHORTEST = timedelta(milliseconds=50)  # between two turns of a job: the machine itself is no faster than it is


class FastClock:
    """A Clock of bot.ports on which time passes ``speed`` times as fast since ``begun``, a time on the wall."""

    def __init__(self, begun: datetime, speed: float, failed: Callable[[str], None]) -> None:
        self._wall = WallClock(failed)
        self._begun, self._speed = begun, speed

    def now(self) -> datetime:
        return self._begun + (self._wall.now() - self._begun) * self._speed

    def every(self, interval: timedelta, name: str, job: Callable[[], Awaitable[None]]) -> None:
        self._wall.every(max(interval / self._speed, _SHORTEST), name, job)

    async def drain(self) -> None:
        await self._wall.drain()


async def live(begun: datetime, speed: float) -> None:
    def clock(failed: Callable[[str], None]) -> Clock:
        return FastClock(begun, speed, failed)

    settings = load()
    logs.set_up(settings.log.level, settings.log.format)
    app = App(settings, clock=clock)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.stop)
    await app.run()


if __name__ == "__main__":
    asyncio.run(live(datetime.fromtimestamp(float(sys.argv[1]), UTC), float(sys.argv[2])))
