"""Lives of the service: processes that begin at once, since they are copies of one that has everything loaded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path

import bot.__main__

CONTEXT = get_context("forkserver")
PRELOADED = ["bot.app", "bot.__main__", "sqlalchemy.dialects.postgresql.asyncpg", "aiosqlite", "tests.chaos.lives"]


def live(environment: Mapping[str, str], folder: str, log: int | object) -> None:
    """Be the service: what ``gracewatch run`` is, in this folder, with this environment alone."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    descriptor = log.fileno()  # type: ignore[attr-defined,union-attr]
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.modules["__main__"] = bot.__main__  # as with `python -m bot`: processes for reviews begin from it
    bot.__main__.app(["run"])


class Life:
    """One process, from its start to its end.  ``shows`` is told of each event of its log."""

    def __init__(self, environment: Mapping[str, str], folder: Path, shows: Callable[[str], None]) -> None:
        self.log: list[str] = []
        self.over = asyncio.Event()
        self._shows = shows
        ours, theirs = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=live, args=(dict(environment), str(folder), theirs))
        self._process.start()
        theirs.close()
        self._pipe = os.fdopen(os.dup(ours.fileno()), "rb", 0)
        ours.close()
        asyncio.get_running_loop().add_reader(self._process.sentinel, self._ended)
        self._reading = asyncio.create_task(self._read())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; nothing when it is over."""
        if not self.over.is_set() and self._process.pid:
            os.kill(self._process.pid, number)

    async def ended(self) -> int:
        """Wait for its end; its exit code."""
        await self.over.wait()
        self._process.join()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        return self._process.exitcode or 0

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self.over.set()

    async def _read(self) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, self._pipe)
        try:
            async for line in reader:
                text = line.decode("utf-8", "replace")
                self.log.append(text)
                if text.startswith("{"):
                    self._shows(str(json.loads(text).get("event", "")))
        finally:
            transport.close()
