"""Kills the service at named steps and at random moments, and counts what its chat lost or heard twice.

A round is one life of a database and a workspace: replicas of the service begin, mail comes in, and one after the other
they are killed with SIGKILL, and with PostgreSQL also cut off from the database or frozen, until they are left alone
at last.  What then stands in the channel is compared with what an undisturbed service said there.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.lives import CONTEXT, PRELOADED
from tests.chaos.world import LEASE_SECONDS, Said, World, world
from tests.store.postgres import postgres

KILLS_OF_A_ROUND = 10
PATIENCE = 300.0  # seconds until a round counts as stuck: far more than a loaded machine needs
LONGEST_RANDOM = 4.0  # seconds until a random moment
LONGEST_WAIT = 8.0  # seconds until a step that does not show is given up, and a random moment comes
SEED = 20240422
ALLOWED_END = 10.0
# What the log and the chat show of a step; who shows it is killed that moment.
ONCE = ("watching", "auth.test comes", "apps.connections.open done", "replica joined", "slack.listening", "stopping")
OFTEN = ("mail came", "series reviewed", "page left", "chat.update comes", "chat.update done")
POSTED = ("chat.postMessage comes", "chat.postMessage done")
LOOKED_UP = ("a look-up comes", "a look-up done")  # comes after a kill at a post
GONE = "replicas are gone"  # one finds another dead
RANDOM = "random"
LOOKS = ("conversations.history", "conversations.replies")


@dataclass
class Tally:
    kills: int = 0
    lost: int = 0
    repeated: int = 0
    longest_end: float = 0  # seconds from SIGTERM to the end
    steps: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Right:
    """What an undisturbed service says and stores."""

    said: Said
    rows: dict[str, int]


class Round:
    """One round: ``steps`` are where replicas die."""

    def __init__(self, it: World, replicas: int, steps: list[str], draw: random.Random, tally: Tally) -> None:
        self._it, self._steps, self._draw, self._tally = it, steps, draw, tally
        self._names = "abcdefgh"[:replicas]
        self._later: set[asyncio.Task[None]] = set()

    async def run(self, right: Right) -> None:
        it, mails = self._it, right.rows["series"]
        for name in self._names:
            it.begin(name)
        for number, step in enumerate(self._steps):
            if number < mails:
                it.mail(number)
            if it.wires:
                self._disturb()
            who, where = await self._show_up(step)
            it.lives[who].kill()
            await it.lives[who].ended()
            self._tally.kills += 1
            self._tally.steps[where] += 1
            self._tally.faults.update(event for event in ("lease lost",) for line in it.lives[who].log if event in line)
            it.begin(who)
        for number in range(len(self._steps), mails):
            it.mail(number)
        done = await it.done(mails, PATIENCE)
        await asyncio.gather(*self._later)
        await asyncio.wait_for(it.all_there(), PATIENCE)
        self._judge(right, await it.said(), [] if done else ["not done"], await self._ended(right))

    async def _show_up(self, step: str) -> tuple[str, str]:
        """Who shows the step, and the step; at a random moment, or when nobody shows it, anybody."""
        shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        skip = self._draw.choice((0, 0, 0, 1, 2)) if step in OFTEN else 0
        anybody = self._draw.choice(self._names)

        def shows(who: str, event: str) -> None:
            nonlocal skip
            method, _, when = event.partition(" ")
            if f"a look-up {when}" == step and method in LOOKS:
                event = step
            if event == step and not shown.done():
                skip -= 1
                if skip < 0:
                    self._it.lives[who].kill()
                    shown.set_result(who)

        self._it.shows = shows
        if step == "stopping":
            self._it.lives[anybody].kill(signal.SIGTERM)
        wait = self._draw.uniform(0.05, LONGEST_RANDOM) if step == RANDOM else LONGEST_WAIT
        try:
            return await asyncio.wait_for(shown, wait), step
        except TimeoutError:
            return anybody, RANDOM
        finally:
            self._it.shows = lambda _who, _event: None

    def _disturb(self) -> None:
        """Now and then a replica is cut off or frozen for a while, shorter or longer than its lease."""
        kind, who = self._draw.choice(("", "", "", "cut off", "frozen")), self._draw.choice(self._names)
        seconds = self._draw.uniform(0.3, 2.5) * LEASE_SECONDS
        deeds = {"cut off": self._cut, "frozen": self._freeze}
        if kind:
            self._tally.faults[kind] += 1
            self._do(deeds[kind](who, seconds))

    def _do(self, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(deed)
        self._later.add(task)

    async def _cut(self, who: str, seconds: float) -> None:
        self._it.wires[who][1].cut()
        await asyncio.sleep(seconds)
        self._it.wires[who][1].mend()

    async def _freeze(self, who: str, seconds: float) -> None:
        life = self._it.lives[who]
        life.kill(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        life.kill(signal.SIGCONT)

    async def _ended(self, right: Right) -> list[str]:
        """Have all end by themselves; what is wrong with that, or with what is stored then."""
        complaints = await self._it.orphans()
        begun = time.monotonic()
        for life in self._it.lives.values():
            life.kill(signal.SIGTERM)
        codes = [await life.ended() for life in self._it.lives.values()]
        self._tally.longest_end = max(self._tally.longest_end, time.monotonic() - begun)
        if any(codes):
            complaints.append(f"exit codes {codes}")
        if (rows := await self._it.rows()) != right.rows:
            complaints.append(f"rows: {rows} and not {right.rows}")
        return complaints

    def _judge(self, right: Right, found: Said, *wrong: list[str]) -> None:
        lost, repeated = right.said - found, found - right.said
        self._tally.lost += lost.total()
        # An edit that is missing shows as one lost and one repeated: the old text stands in place of the new.
        self._tally.repeated += max(0, found.total() - right.said.total())
        complaints = [*(word for words in wrong for word in words)]
        complaints += [*(f"lost {one}" for one in lost), *(f"too much: {one}" for one in repeated)]
        if complaints:
            logs = [line for name, life in self._it.lives.items() for line in (f"--- {name}\n", *life.log[-15:])]
            self._tally.complaints += [f"killed at {self._steps}", *complaints, *logs]


async def undisturbed(mails: int) -> Right:
    async with world("", 1) as it:
        for number in range(mails):
            it.mail(number)
        it.begin("a")
        if not await it.done(mails, PATIENCE):
            sys.exit("undisturbed, the service does not come to an end:\n" + "".join(it.lives["a"].log[-30:]))
        return Right(await it.said(), await it.rows())


def planned(kills: int, replicas: int, draw: random.Random) -> list[str]:
    """Where to kill, in which order: at named steps, each as often as any other, and as often at random moments."""
    scenes = [(step,) for step in (*ONCE, *OFTEN, *POSTED, *((GONE,) if replicas > 1 else ()))]
    scenes += [(post, look) for post in POSTED for look in LOOKED_UP]
    plan: list[str] = []
    while len(plan) < kills:
        draw.shuffle(scenes)
        plan += [step for scene in scenes for step in (*scene, *(RANDOM for _ in scene))]
    return plan[:kills]


async def chaos(kills: int, server: str, replicas: int, at_once: int, of_a_round: int = KILLS_OF_A_ROUND) -> Tally:
    draw, tally = random.Random(SEED), Tally()  # noqa: S311  the same plan each time
    right = await undisturbed(of_a_round)
    plan = planned(kills, replicas, draw)
    rounds = [plan[start : start + of_a_round] for start in range(0, kills, of_a_round)]
    room = asyncio.Semaphore(at_once)

    async def one(steps: list[str], own: random.Random) -> None:
        async with room:
            async with world(server, replicas) as it:
                await Round(it, replicas, steps, own, tally).run(right)
            print(f"{tally.kills} of {kills}: lost {tally.lost} repeated {tally.repeated}", file=sys.stderr)

    await asyncio.gather(*(one(steps, random.Random(draw.random())) for steps in rounds))  # noqa: S311
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--replicas", type=int, default=1, choices=range(1, 9))
    parser.add_argument("--at-once", type=int, default=3, help="rounds side by side")
    chosen = parser.parse_args()
    if chosen.replicas > 1 and chosen.store != "postgresql":
        parser.error("replicas share a database: --store postgresql")
    CONTEXT.set_forkserver_preload(PRELOADED)
    with postgres() if chosen.store == "postgresql" else nullcontext("") as server:
        tally = asyncio.run(chaos(chosen.kills, server, chosen.replicas, chosen.at_once))
    for step, times in sorted((tally.steps + tally.faults).items()):
        print(f"  {step:<28}{times:>5}")
    print(f"  longest end: {tally.longest_end:.1f} s after SIGTERM, of {ALLOWED_END:g} that are allowed")
    print("\n".join(tally.complaints), end="\n" if tally.complaints else "")
    print(f"kills {tally.kills} steps {len(tally.steps)} lost {tally.lost} repeated {tally.repeated}")
    return 1 if tally.complaints or tally.longest_end > ALLOWED_END else 0


if __name__ == "__main__":
    sys.exit(main())
