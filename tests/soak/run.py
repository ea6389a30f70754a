"""A simulated day of three busy lists for one service: prints lag and memory, hour for hour, and judges both.

The service is a process of its own on a fast clock, with a Slack server; mail is laid into its folders as the clock
says.  Lag is how long a mail lay there, and how long after a faulty series its card stood in chat, in simulated time,
which makes minutes of the seconds that the machine needs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from tests.chats.slack_server import APP_TOKEN, BOT_TOKEN, CHANNEL_NAME, SlackServer, slack_server
from tests.journeys.gracewatch import EXAMPLES, ROOT
from tests.soak.mails import LISTS, Mail, day

HOUR = timedelta(hours=1)
MORE_MEMORY = 1.15  # what the last quarter may take of the second: the first still loads
MORE_LAG = 2.0  # the same for lag, of which the smallest that counts is:
SMALL_LAG = 600.0  # seconds
_LEAST = 3  # samples of a quarter: fewer tell of the start alone
_PATIENCE = 600.0  # seconds on the wall until the rest of the work counts as stuck


@dataclass
class Sample:
    """What stood at the end of a simulated hour; times in simulated seconds, memory in MB."""

    hour: float
    mails: int
    reviews: int
    pages: int
    mail_lag: float  # the longest that a mail of this hour lay
    page_lag: float  # the longest from a faulty series to its card
    waiting: int  # mails
    service: float
    workers: float


@dataclass
class Day:
    """What came and went so far."""

    begun: datetime
    speed: float
    taken: int = 0
    reviewed: int = 0
    pages: int = 0
    complaints: list[str] = field(default_factory=list)
    _lying: dict[str, deque[datetime]] = field(default_factory=lambda: {name: deque() for name in LISTS})
    _faulty: deque[datetime] = field(default_factory=deque)
    _mail_lag: float = 0
    _page_lag: float = 0

    def now(self) -> datetime:
        return self.begun + (datetime.now(UTC) - self.begun) * self.speed

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lying.values()))

    def came(self, mail: Mail) -> None:
        self._lying[mail.feed].extend([self.now()] * mail.number)
        if mail.faulty:
            self._faulty.append(self.now())

    def logged(self, line: dict[str, Any]) -> None:
        """Take a line of the service's log."""
        match line["event"]:
            case "mail came":
                lying = self._lying[line["feed"]]
                for _ in range(min(line["mails"], len(lying))):
                    self._mail_lag = max(self._mail_lag, (self.now() - lying.popleft()).total_seconds())
                self.taken += line["mails"]
            case "series reviewed":
                self.reviewed += 1
            case "page left":
                self.pages += 1
        if line["level"] in {"error", "critical"}:
            self.complaints.append(json.dumps(line))

    def stood(self, cards: int, known: int) -> None:
        """So many cards stand in chat; ``known`` stood before."""
        for _ in range(min(cards - known, len(self._faulty))):
            self._page_lag = max(self._page_lag, (self.now() - self._faulty.popleft()).total_seconds())

    def sample(self, hour: float, pid: int) -> Sample:
        """What stands now; the next one begins anew."""
        own, *others = (resident(one) for one in (pid, *descendants(pid)))
        done = (self.taken, self.reviewed, self.pages)
        found = Sample(hour, *done, self._mail_lag, self._page_lag, self.waiting, own, sum(others))
        self._mail_lag = self._page_lag = 0
        return found


def descendants(pid: int) -> list[int]:
    """The processes that a process began, and those that these began."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return []
    return [one for child in children for one in (int(child), *descendants(int(child)))]


def resident(pid: int) -> float:
    """What a process holds in memory, in MB; 0 for one that is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def judged(samples: list[Sample]) -> list[str]:
    """What grew that must not; nothing is said of too few hours."""
    quarter = len(samples) // 4
    if quarter < _LEAST:
        return []
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    found = []
    for name in ("service", "workers"):
        before, after = (median(getattr(one, name) for one in part) for part in (early, late))
        if after > before * MORE_MEMORY:
            found.append(f"memory of the {name} grew from {before:.0f} to {after:.0f} MB")
    for name in ("mail_lag", "page_lag"):
        before, after = (median(getattr(one, name) for one in part) for part in (early, late))
        if after > max(before, SMALL_LAG) * MORE_LAG:
            found.append(f"{name.replace('_', ' ')} grew from {before:.0f} to {after:.0f} s")
    return found


def environment(folder: Path, server: SlackServer) -> dict[str, str]:
    feeds = [{"name": name, "kind": "directory", "path": str(folder / name)} for name in LISTS]
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SLACK_BOT_TOKEN": BOT_TOKEN,
        "SLACK_APP_TOKEN": APP_TOKEN,
        "GRACEWATCH_SLACK_CHANNEL": CHANNEL_NAME,
        "GRACEWATCH_SLACK_API_URL": server.api_url,
        "GRACEWATCH_CONSOLE_ENABLED": "false",
        "GRACEWATCH_FEEDS": json.dumps(feeds),
        "GRACEWATCH_TREE_PATH": str(EXAMPLES / "tree"),
        "GRACEWATCH_STATE_FOLDER": str(folder / "state"),
        "GRACEWATCH_HEALTH_PORT": "0",
        "GRACEWATCH_MAIL_POLL": "1m",
        "GRACEWATCH_LOG_FORMAT": "json",
    }


async def soak(hours: float, speed: float, times: float, folder: Path) -> tuple[list[Sample], list[str]]:
    for name in LISTS:
        (folder / name).mkdir()
    async with slack_server(folder) as server:
        begun = datetime.now(UTC)
        mails = deque(day(times, begun, hours * HOUR))
        faulty, total = sum(mail.faulty for mail in mails), sum(mail.number for mail in mails)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.soak.life", str(begun.timestamp()), str(speed)),
            cwd=folder, env=environment(folder, server), stderr=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        this = Day(begun, speed)
        reading = asyncio.create_task(_read(process, this))
        try:
            samples = await _through(this, mails, hours, process.pid, folder, server)
            cards = await _rest(this, total, faulty, server)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            code = await process.wait()
            await reading
    complaints = [*judged(samples), *this.complaints, *([f"it ended with {code}"] if code else [])]
    if (this.taken, cards) != (total, faulty):
        complaints.append(f"{this.taken} of {total} mails were taken, {cards} of {faulty} cards stand")
    return samples, complaints


async def _read(process: asyncio.subprocess.Process, this: Day) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        if line.startswith(b"{"):
            this.logged(json.loads(line))
        else:
            this.complaints.append(line.decode("utf-8", "replace"))


async def _cards(server: SlackServer) -> int:
    return sum(message.get("thread_ts", message["ts"]) == message["ts"] for message in await server.bot_messages())


async def _through(
    this: Day, mails: deque[Mail], hours: float, pid: int, folder: Path, server: SlackServer
) -> list[Sample]:
    """Lay down the day's mail, and look once each hour."""
    samples: list[Sample] = []
    known, number, step = 0, 0, min(HOUR, hours * HOUR / 4)

    def look() -> None:
        samples.append(this.sample((len(samples) + 1) * step / HOUR, pid))
        print(_line(samples[-1]), flush=True)

    while (passed := this.now() - this.begun) < hours * HOUR:
        while mails and mails[0].after <= passed:
            mail = mails.popleft()
            coming = folder / "coming"
            coming.write_text(mail.text, "utf-8")
            this.came(mail)
            coming.rename(folder / mail.feed / f"{(number := number + 1):06}.mbox")
        cards = await _cards(server)
        this.stood(cards, known)
        known = max(cards, known)
        if passed >= step * (len(samples) + 1):
            look()
        await asyncio.sleep(0.1)
    look()
    return samples


async def _rest(this: Day, total: int, faulty: int, server: SlackServer) -> int:
    """Wait until all mail is taken and told; how many cards stand then."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if this.taken >= total and await _cards(server) >= faulty:
            break
        await asyncio.sleep(0.5)
    return await _cards(server)


def _line(one: Sample) -> str:
    done = f"{one.mails:>7} mails{one.reviews:>6} reviews{one.pages:>5} pages"
    lag = f"lag: mail{one.mail_lag:>6.0f} s, card{one.page_lag:>6.0f} s,{one.waiting:>4} mails lie"
    return f"{one.hour:>5.4g} h{done}   {lag}   memory:{one.service:>5.0f} +{one.workers:>5.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24, help="simulated")
    parser.add_argument("--speed", type=float, default=90, help="simulated seconds in one on the wall")
    parser.add_argument("--times", type=float, default=10, help="as busy as the lists are")
    chosen = parser.parse_args()
    rates = ", ".join(f"{name} {rate * chosen.times:g}" for name, rate in LISTS.items())
    print(f"mails a day: {rates}; {chosen.hours:g} hours at {chosen.speed:g} times the speed")
    with tempfile.TemporaryDirectory(prefix="gracewatch-soak-") as folder:
        samples, complaints = asyncio.run(soak(chosen.hours, chosen.speed, chosen.times, Path(folder)))
    print("\n".join(complaints) or f"flat: memory and lag of {len(samples)} samples")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
