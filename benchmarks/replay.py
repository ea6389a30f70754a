"""How fast archives of mail are replayed, as a whole and stage by stage: ``python -m benchmarks.replay [NAME...]``.

Rates of stages are messages in a second of one processor, which a busy machine does not change much; a replay runs on
all processors, as the command does, and is timed by the wall.  1x is a quarter of the archive, 4x is all of it.
References: ``git cat-file`` reads the same mails out of a repository, ``BytesParser`` is the standard library's.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from email.parser import BytesParser
from pathlib import Path

from benchmarks.archives import CORPUS, Archive, archives, mails
from benchmarks.cost import Cost, cost
from benchmarks.lines import say, seconds, skipped
from bot.catalog import rules
from bot.cli.sitting import PATIENCE, LeapingClock
from bot.mail.assembly import assemble
from bot.model import Base, RawMail, Series
from bot.review import review
from bot.store import SqlStore
from config.known import known_functions
from handlers.mail_arrived import Letter, opened
from handlers.poll_due import Item, Opened, poll_due

GIT, STANDARD = "git cat-file", "BytesParser"
_MOST_MEMORY = 300.0  # MB for one process


class Read:
    """A feed whose mails are in memory."""

    name = "memory"

    def __init__(self, items: Sequence[RawMail]) -> None:
        self._items = items

    async def since(self, position: str) -> AsyncIterator[RawMail]:  # noqa: ARG002
        for item in self._items:
            yield item

    async def count(self, position: str) -> int:  # noqa: ARG002
        return len(self._items)


def stages(archive: Archive) -> float:
    """Prints the rate of each stage; returns that of git."""
    took, _ = seconds(archive.floor, 3)
    git = len(archive.blobs) / took
    took, items = seconds(lambda: asyncio.run(mails(archive.place)), 2)
    number = len(items)

    def tell(stage: str, spent: float, reference: float = git, name: str = GIT) -> None:
        say(f"{stage}.{archive.name}", number / spent, "messages/s of one processor", reference, name)

    say(f"git-cat-file.{archive.name}", git, "messages/s of one processor", git, GIT)
    tell("read", took)
    took, _ = seconds(lambda: [BytesParser().parsebytes(item.data) for item in items], 2)
    standard = number / took
    tell("bytes-parser", took)
    took, letters = seconds(lambda: [opened(item) for item in items], 2)
    tell("parse", took)
    tell("parse-to-standard", took, standard, STANDARD)
    known = [(one.message, one.patch) for one in letters if isinstance(one, Letter)]
    took, series = seconds(lambda: assemble(known, datetime.now(UTC)), 2)
    tell("assemble", took)
    took, _ = seconds(lambda: _stored(items, dict(zip(items, letters, strict=True))))
    tell("store", took)
    rules()
    took, _ = seconds(lambda: _reviewed(series))
    tell("review", took)
    return git


def _reviewed(series: Sequence[Series]) -> int:
    known = known_functions()
    return sum(len(review(one, Base(known=known)).findings) for one in series if one.patches)


def _stored(items: Sequence[RawMail], letters: dict[RawMail, Opened]) -> None:
    async def opening(batch: Sequence[Item]) -> list[Opened]:
        return [letters[item] for item in batch if isinstance(item, RawMail)]

    async def store(folder: str) -> None:
        database = SqlStore(f"sqlite:///{folder}/bench.db")
        await database.upgrade()
        await poll_due(Read(items), database, LeapingClock(), PATIENCE, opening=opening)
        await database.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(store(folder))


def replay(archive: Archive, git: float) -> None:
    """Prints how fast the command is over a quarter, a half and all of the archive, and what memory it takes."""
    number = len(archive.blobs)
    costs = {share: _replayed(archive, number * share // 4) for share in (1, 2, 4)}
    whole = costs[4]
    say(f"replay.{archive.name}", number / whole.wall, "messages/s", git, GIT)
    say(f"replay-processors.{archive.name}", whole.cpu / whole.wall, "processors", os.cpu_count() or 1, "all there are")
    for share in (1, 2, 4):
        spent = costs[share]
        say(f"replay-{share}x.{archive.name}", spent.cpu, "s of one processor", costs[1].cpu, "1x")
        say(f"replay-memory-{share}x.{archive.name}", spent.memory, "MB", _MOST_MEMORY, "what a process may take")


def _replayed(archive: Archive, limit: int) -> Cost:
    return cost([sys.executable, "-m", "bot", "replay", str(archive.place), "--anew", "--limit", str(limit)])


def main() -> None:
    found = False
    with tempfile.TemporaryDirectory(prefix="gracewatch-bench-") as folder:
        for archive in archives(Path(folder)):
            found = True
            if archive.name in (sys.argv[1:] or [archive.name]):
                replay(archive, stages(archive))
    if not found:
        skipped("replay", f"there is no archive of mail in {CORPUS}; MAIL_CORPUS names another place")


if __name__ == "__main__":
    main()
