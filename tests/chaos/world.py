"""The world of one round: mail that comes in, a database and a chat, replicas, and what must be true at the end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path

from sqlalchemy import text

from bot.store import SqlStore
from tests.chaos.lives import Life
from tests.chats.slack_server import APP_TOKEN, BOT_TOKEN, CHANNEL_NAME, SlackServer, slack_server
from tests.journeys.gracewatch import EXAMPLES, ROOT
from tests.store.postgres import database
from tests.store.wire import Wire, wire

LEASE_SECONDS = 3.0
RESTART_SECONDS = 0.5
Said = Counter[tuple[bool, str]]
# Rows that belong to nothing, and work that nobody will do.
ORPHANS = {
    "parts of no series": "SELECT series FROM parts WHERE series NOT IN (SELECT key FROM series)",
    "members of no series": "SELECT message FROM members WHERE series NOT IN (SELECT key FROM series)",
    "reviews of no series": "SELECT series FROM reviews WHERE series NOT IN (SELECT key FROM series)",
    "series without a review": "SELECT key FROM series WHERE key NOT IN (SELECT series FROM reviews)",
    "series that are not reviewed": "SELECT key FROM series WHERE state <> 'reviewed'",
    "pages that did not leave": "SELECT key FROM deliveries WHERE state <> 'sent'",
    "pages without a place": "SELECT key FROM deliveries WHERE remote_id = ''",
    "threads left to tell": "SELECT thread FROM stirred",
    "things held by nobody": "SELECT name FROM claims WHERE replica NOT IN (SELECT name FROM replicas)",
    "pages and reviews still held": "SELECT name FROM claims WHERE kind <> 'feed'",
    "mail that could not be read": "SELECT source FROM unreadable",
}
COUNTED = ("messages", "series", "parts", "members", "reviews", "findings", "cursors")


class World:
    """``threads`` are how many come in all; each is a series and its reroll."""

    def __init__(self, folder: Path, url: str, server: SlackServer, wires: dict[str, tuple[str, Wire]]) -> None:
        self.folder, self.server, self.wires = folder, server, wires
        self._url = url
        self.store = SqlStore(url)
        self.lives: dict[str, Life] = {}
        self._watches: list[asyncio.Task[None]] = []
        self.shows: Callable[[str, str], None] = lambda _who, _step: None
        server.watch = self._shown
        (folder / "mail").mkdir()

    def _shown(self, who: str, step: str) -> None:
        self.shows(who, step)

    def mail(self, number: int) -> None:
        """A mail comes in: the even ones are series, the odd ones their rerolls."""
        thread, version = number // 2, ("v1", "v3")[number % 2]
        mail = (EXAMPLES / "kvm" / f"{version}.mbox").read_text("utf-8")
        mail = mail.replace("kvm-device", f"kvm-device-{thread}")  # message-ids and change-id
        mail = re.sub(r"^(Subject: .*)$", rf"\1, part {thread}", mail, flags=re.M)
        coming = self.folder / f"{number}.part"
        coming.write_text(mail, "utf-8")
        coming.rename(self.folder / "mail" / f"{number:04}-{version}.mbox")

    def begin(self, who: str) -> None:
        """A replica begins a life, and another when that cannot begin: as a container that restarts on failure."""
        state = self.folder / f"state-{who}"
        life = Life(
            {
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "SLACK_BOT_TOKEN": BOT_TOKEN,
                "SLACK_APP_TOKEN": APP_TOKEN,
                "GRACEWATCH_SLACK_CHANNEL": CHANNEL_NAME,
                "GRACEWATCH_SLACK_API_URL": f"{self.server.address}/{who}/api/",
                "GRACEWATCH_CONSOLE_ENABLED": "false",
                "GRACEWATCH_FEEDS": json.dumps(
                    [{"name": "mail", "kind": "directory", "path": str(self.folder / "mail")}]
                ),
                "GRACEWATCH_TREE_PATH": str(EXAMPLES / "tree"),
                "GRACEWATCH_STATE_FOLDER": str(state),
                "GRACEWATCH_STORE_URL": self.wires[who][0] if who in self.wires else self._url,
                "GRACEWATCH_STORE_LEASE": f"{LEASE_SECONDS:g}s",
                "GRACEWATCH_HEALTH_ENABLED": "false",
                "GRACEWATCH_MAIL_POLL": "1s",
                "GRACEWATCH_LOG_FORMAT": "json",
            },
            self.folder,
            lambda step: self._shown(who, step),
        )
        self.lives[who] = life
        self._watches.append(asyncio.create_task(self._restart_on_failure(who, life)))

    async def _restart_on_failure(self, who: str, life: Life) -> None:
        """A life that begins while its database is cut off ends at once, with the reason."""
        if await life.ended() > 0 and self.lives[who] is life:
            await asyncio.sleep(RESTART_SECONDS)
            self.begin(who)

    async def all_there(self) -> None:
        """Wait until every replica works: one that is told to end before that has not said yet how it does so."""
        while not all(any("replica joined" in line for line in life.log) for life in self.lives.values()):
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Nobody begins again; all are killed."""
        for watch in self._watches:
            watch.cancel()
        for life in self.lives.values():
            life.kill()
        await asyncio.gather(*self._watches, *(life.ended() for life in self.lives.values()), return_exceptions=True)

    async def done(self, mails: int, patience: float) -> bool:
        """Wait until all mail was taken, reviewed and told; False when patience is over."""
        end = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < end:
            async with self.store.transaction() as work:
                counts = await work.counts()
            queued = counts["queued"] + counts["sending"]
            if counts["reviewed"] == mails and counts["sent"] and not queued:
                return True
            await asyncio.sleep(0.1)
        return False

    async def said(self) -> Said:
        """What stands in the channel: (is a reply, its blocks)."""
        return Counter(
            (
                message.get("thread_ts", message["ts"]) != message["ts"],
                json.dumps(message.get("blocks"), sort_keys=True),
            )
            for message in await self.server.bot_messages()
        )

    async def rows(self) -> dict[str, int]:
        """How many rows the tables have that do not depend on what happened meanwhile."""
        async with self.store.transaction() as work:
            found = [(name, await work.connection.execute(text(f"SELECT count(*) FROM {name}"))) for name in COUNTED]  # noqa: S608
        return {name: int(answer.scalar_one()) for name, answer in found}

    async def orphans(self) -> list[str]:
        complaints: list[str] = []
        async with self.store.transaction() as work:
            for name, question in ORPHANS.items():
                found = [str(row[0]) for row in await work.connection.execute(text(question))]
                complaints += [f"{name}: {', '.join(found[:5])}"] if found else []
        return complaints


@asynccontextmanager
async def world(server: str, replicas: int) -> AsyncIterator[World]:
    """A world with an empty database on the server, or an SQLite file when that is ""."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gracewatch-chaos-")))
        fresh = database(server, f"chaos{random.getrandbits(40)}") if server else nullcontext("")
        url = stack.enter_context(fresh) or f"sqlite:///{folder}/gracewatch.db"
        names = "abcdefgh"[:replicas]
        wires = {name: await stack.enter_async_context(wire(url)) for name in names} if server else {}
        slack = await stack.enter_async_context(slack_server(folder))
        made = World(folder, url, slack, wires)
        stack.push_async_callback(made.store.close)
        await made.store.upgrade()
        try:
            yield made
        finally:
            await made.close()
