"""Kills the service at named steps and at random moments, and counts what its chat lost or heard twice.

A round is one life of a database and a workspace: the service is started on a folder of mail, killed with SIGKILL
again and again, and left alone at last.  What then stands in the channel is compared with what an undisturbed service
said there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from tests.chats.slack_server import APP_TOKEN, BOT_TOKEN, CHANNEL_NAME, SlackServer, slack_server
from tests.journeys.gracewatch import EXAMPLES, ROOT
from tests.store.postgres import database, postgres

THREADS = 4
KILLS_OF_A_ROUND = 6
PATIENCE = 180.0  # seconds for one life: far more than a loaded machine needs
QUIET = 3.0  # seconds without a word until a channel counts as told
LONGEST_LIFE = 4.0  # seconds until a random kill
SEED = 20240422
# What the log and the chat show of a step; the service is killed the moment that it shows.
LOGGED = ("watching", "mail came", "series reviewed", "page left")
CALLED = tuple(f"{method} {when}" for method in ("chat.postMessage", "chat.update") for when in ("comes", "done"))
STEPS = (*LOGGED, *CALLED, "random")
Said = Counter[tuple[bool, str]]


@dataclass
class Tally:
    kills: int = 0
    lost: int = 0
    repeated: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


def mails(folder: Path) -> None:
    """The example's series and its reroll, under other names, for as many threads."""
    folder.mkdir()
    for number in range(THREADS):
        for version in ("v1", "v3"):
            text = (EXAMPLES / "kvm" / f"{version}.mbox").read_text("utf-8")
            text = text.replace("kvm-device", f"kvm-device-{number}")  # message-ids and change-id
            text = re.sub(r"^(Subject: .*)$", rf"\1, part {number}", text, flags=re.M)
            (folder / f"{number}-{version}.mbox").write_text(text, "utf-8")


class Service:
    """One life of the service, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, server: SlackServer) -> None:
        self._process, self._server = process, server
        self._reading = asyncio.create_task(self._read())
        self._step, self._skip = "", 0
        self.log: list[str] = []
        server.watch = self.shows

    def shows(self, step: str) -> None:
        """A step shows; it may be the one to die at."""
        if step == self._step:
            self._skip -= 1
            if self._skip < 0:
                self.kill()

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    async def dies(self, step: str, draw: random.Random) -> str:
        """Wait for the step, and kill; at a random moment when it does not show.  Where it died, "" if it ended."""
        self._step, self._skip = step, draw.choice((0, 0, 0, 1, 2))
        life = draw.uniform(0.1, LONGEST_LIFE) if step == "random" else LONGEST_LIFE * 4
        try:
            await asyncio.wait_for(self._process.wait(), life)
        except TimeoutError:
            self.kill()
            await self._process.wait()
            step = "random"
        await self._reading
        return step

    async def stops(self) -> int:
        """Ask it to end, once it has begun; its exit code."""
        async with asyncio.timeout(PATIENCE):
            while not any('"watching"' in line for line in self.log):
                await asyncio.sleep(0.05)
        self._process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self._process.wait(), 10)
        await self._reading
        return self._process.returncode or 0

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            text = line.decode("utf-8", "replace")
            self.log.append(text)
            if text.startswith("{"):
                self.shows(str(json.loads(text).get("event", "")))


async def started(folder: Path, store: str, server: SlackServer) -> Service:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_APP_TOKEN": APP_TOKEN,
        "GRACEWATCH_SLACK_CHANNEL": CHANNEL_NAME,
        "GRACEWATCH_SLACK_API_URL": server.api_url,
        "GRACEWATCH_CONSOLE_ENABLED": "false",
        "GRACEWATCH_FEEDS": json.dumps([{"name": "mail", "kind": "directory", "path": str(folder / "mail")}]),
        "GRACEWATCH_TREE_PATH": str(EXAMPLES / "tree"),
        "GRACEWATCH_STATE_FOLDER": str(folder / "state"),
        "GRACEWATCH_STORE_URL": store,
        "GRACEWATCH_HEALTH_ENABLED": "false",
        "GRACEWATCH_MAIL_POLL": "1s",
        "GRACEWATCH_LOG_FORMAT": "json",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
    )
    return Service(process, server)


async def said(server: SlackServer) -> Said:
    """What stands in the channel: (is a reply, text)."""
    return Counter(
        (message.get("thread_ts", message["ts"]) != message["ts"], json.dumps(message.get("blocks"), sort_keys=True))
        for message in await server.bot_messages()
    )


async def settled(server: SlackServer, wanted: Said | None) -> Said:
    """What was said once nothing more comes, and all that is wanted has come or patience is over."""
    loop = asyncio.get_running_loop()
    end, calls, since = loop.time() + PATIENCE, -1, loop.time()
    while loop.time() < end:
        talk = sum(method in {"chat.postMessage", "chat.update"} for method, _ in server.calls)
        if talk != calls:
            calls, since = talk, loop.time()
        found = await said(server)
        if loop.time() - since > QUIET and (found == wanted if wanted is not None else calls >= 2 * THREADS):
            return found
        if wanted is not None and loop.time() - since > 10 * QUIET:
            return found
        await asyncio.sleep(0.1)
    return await said(server)


@asynccontextmanager
async def world(store: str) -> AsyncIterator[tuple[Path, str, SlackServer]]:
    """A folder with mail, the URL of an empty database, and an empty workspace."""
    with tempfile.TemporaryDirectory(prefix="gracewatch-chaos-") as name:
        folder = Path(name)
        mails(folder / "mail")
        fresh = database(store, f"chaos{random.getrandbits(40)}") if store else nullcontext("")
        with fresh as url:
            async with slack_server(folder) as server:
                yield folder, url, server


async def undisturbed(store: str) -> Said:
    async with world(store) as (folder, url, server):
        service = await started(folder, url, server)
        found = await settled(server, None)
        if await service.stops() or sum(found.values()) < 2 * THREADS:
            sys.exit(
                "undisturbed, the service does not tell what it should:\n"
                + "".join(service.log[-20:])
                + "\n".join(map(str, found))
            )
        return found


async def one_round(store: str, wanted: Said, steps: list[str], draw: random.Random, tally: Tally) -> None:
    async with world(store) as (folder, url, server):
        for step in steps:
            service = await started(folder, url, server)
            tally.steps[await service.dies(step, draw)] += 1
            tally.kills += 1
        service = await started(folder, url, server)
        found = await settled(server, wanted)
        code = await service.stops()
        lost, repeated = wanted - found, found - wanted
        tally.lost += lost.total()
        # An edit that is missing shows as one lost and one repeated: the old text stands in place of the new.
        tally.repeated += max(0, found.total() - wanted.total())
        if code or lost or repeated:
            what = [f"exit {code}", f"killed at {steps}", *(f"lost {one}" for one in lost)]
            tally.complaints += [*what, *(f"too much: {one}" for one in repeated), *service.log[-10:]]


async def chaos(kills: int, store: str) -> Tally:
    draw, tally = random.Random(SEED), Tally()  # noqa: S311  the same kills each time
    wanted = await undisturbed(store)
    plan = [STEPS[number % len(STEPS)] if number % 2 else "random" for number in range(kills)]
    draw.shuffle(plan)
    while plan:
        steps, plan = plan[:KILLS_OF_A_ROUND], plan[KILLS_OF_A_ROUND:]
        await one_round(store, wanted, steps, draw, tally)
        print(f"{tally.kills} of {kills}: lost {tally.lost} repeated {tally.repeated}", file=sys.stderr)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    chosen = parser.parse_args()
    with postgres() if chosen.store == "postgresql" else nullcontext("") as store:
        tally = asyncio.run(chaos(chosen.kills, store))
    for step, times in sorted(tally.steps.items()):
        print(f"  {step:<24}{times:>5}")
    print("\n".join(tally.complaints), end="\n" if tally.complaints else "")
    print(f"kills {tally.kills} steps {len(tally.steps)} lost {tally.lost} repeated {tally.repeated}")
    return 1 if tally.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
