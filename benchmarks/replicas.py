"""How fast replicas of the service take a whole archive, 1, 2 and 4 of them on one PostgreSQL: for docs/sizing.md.

Seconds on the wall say how well the work is shared, on a machine with processors to spare; seconds of processors say
what it costs, of the replicas and of the database.  ``python -m benchmarks.replicas NUMBER URL ARCHIVE`` is one run.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy import text

from benchmarks.archives import CORPUS, Archive, archives
from benchmarks.cost import cost
from benchmarks.lines import say, skipped
from bot.feeds.detect import feed_for
from bot.store import SqlStore
from tests.store.postgres import binaries, database, postgres

_NUMBERS = (1, 2, 4)
_LOOK_SECONDS = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


def settings(url: str, archive: str, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "GRACEWATCH_STORE_URL": url,
        "GRACEWATCH_FEEDS": json.dumps([{"name": "archive", "path": archive}]),
        "GRACEWATCH_STATE_FOLDER": str(folder),
        "GRACEWATCH_MAIL_PATIENCE": "1s",
        "GRACEWATCH_CONSOLE_ENABLED": "false",
        "GRACEWATCH_HEALTH_ENABLED": "false",
        "GRACEWATCH_LOG_LEVEL": "error",
        "GRACEWATCH_TREE_PATH": os.environ.get("KERNEL_TREE", ""),
    }


async def one(number: int, url: str, archive: str) -> None:
    """Begin so many replicas, and end them when every mail was taken and every series reviewed."""
    store, feed = SqlStore(url), feed_for(archive)
    await store.upgrade()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        running = []
        for _ in range(number):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gracewatch-bench-")))
            command = (sys.executable, "-m", "bot", "run")
            running.append(await asyncio.create_subprocess_exec(*command, env=settings(url, archive, folder)))
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            async with store.reading() as work:
                cursor, counts = await work.cursor("archive"), await work.counts()
            if cursor and counts["reviewed"] == counts["series"] and not await feed.count(cursor):
                break
        for process in running:
            process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(process.wait() for process in running))


def database_seconds(url: str) -> float:
    """Seconds of processors that the database server and its ended connections took so far."""
    return sum(int(number) for number in _stat(asyncio.run(_server(url)))[11:15]) / _TICKS


async def _server(url: str) -> int:
    """The process that all others of the database are children of."""
    store = SqlStore(url)
    async with store.reading() as work:
        backend = (await work.connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        found = await asyncio.to_thread(_stat, int(backend))
    await store.close()
    return int(found[1])


async def _asked(url: str, question: str) -> int:
    """The number that the database answers."""
    store = SqlStore(url)
    async with store.reading() as work:
        found = (await work.connection.execute(text(question))).scalar_one()
    await store.close()
    return int(found)


def _stat(process: int) -> list[str]:
    """What proc(5) calls the third and later fields of stat."""
    return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()


def measured(archive: Archive, server: str) -> None:
    mails, first = len(archive.blobs), 0.0
    for number in _NUMBERS:
        with database(server, f"bench{number}") as url:
            words = (sys.executable, "-m", "benchmarks.replicas", str(number), url, str(archive.place))
            before = database_seconds(server)
            spent = cost(words)
            of_database = database_seconds(server) - before
            size = asyncio.run(_asked(url, "SELECT pg_database_size(current_database())"))
        first = first or spent.wall
        say(f"backfill-{number}.{archive.name}", mails / spent.wall, "messages/s", mails / first, "1 replica")
        say(f"backfill-processors-{number}.{archive.name}", spent.cpu, "s of one processor", spent.wall, "the wall")
        say(f"backfill-database-{number}.{archive.name}", of_database, "s of one processor", spent.wall, "the wall")
        say(f"backfill-size-{number}.{archive.name}", size / mails / 1e3, "kB a message", size / mails / 1e3, "one kB")


def main() -> None:
    if len(sys.argv) > 1:
        asyncio.run(one(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
        return
    if binaries() is None:
        skipped("replicas", "PostgreSQL is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="gracewatch-bench-") as folder, postgres() as server:
        found = list(archives(Path(folder)))
        for archive in found[:1]:
            measured(archive, server)
    if not found:
        skipped("replicas", f"there is no archive of mail in {CORPUS}; MAIL_CORPUS names another place")


if __name__ == "__main__":
    main()
