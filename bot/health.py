"""What operators watch: /healthz, /readyz and /metrics, and the table of all figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from bot.ports import Chat, Store, StoreError

MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)
PATIENCE = 5.0  # seconds that a check may take before its part counts as not ready
FINE = "ok"
LOG = structlog.get_logger("health")


class Figure(NamedTuple):
    """One figure: what kind it is, what it says in words, and the labels that it is always given with."""

    kind: type[Counter] | type[Gauge] | type[Histogram]
    help: str
    labels: tuple[str, ...] = ()


FIGURES: Mapping[str, Figure] = {
    "mails": Figure(
        Counter, "Mails of a feed by what became of them: patch, message, known or unreadable.", ("feed", "outcome")
    ),
    "polls_failed": Figure(Counter, "Times that a feed could not be read; the log says why.", ("feed",)),
    "feed_read_time_seconds": Figure(
        Gauge, "When a feed was last read to its end, in seconds since 1970; time() minus this is its lag.", ("feed",)
    ),
    "feed_mail_time_seconds": Figure(
        Gauge, "When a feed last brought something, in seconds since 1970; time() minus this is its silence.", ("feed",)
    ),
    "feed_usual_silence_seconds": Figure(
        Gauge, "The silence that is not unusual for a feed, once a week of it is known.", ("feed",)
    ),
    "feed_lag_seconds": Figure(Gauge, "How old the newest mail of a feed was when it came.", ("feed",)),
    "feed_incomplete_series": Figure(
        Gauge, "Series of a feed that were reviewed without all their parts, since it was first read.", ("feed",)
    ),
    "feed_trouble": Figure(
        Gauge, "1 while operators know of a trouble: failing, silent, unreadable or incomplete.", ("feed", "trouble")
    ),
    "series_reviewed": Figure(
        Counter, "Series reviewed, by how much code the review could see: hunk, near, file or tree.", ("context",)
    ),
    "review_seconds": Figure(Histogram, "How long the review of one series took.", ()),
    "findings": Figure(Counter, "Findings of reviews, told in chat or held back.", ("rule", "level")),
    "deliveries": Figure(Counter, "Pages for a chat that were sent, queued again or gave-up.", ("chat", "state")),
    "rate_limited": Figure(Counter, "Times that a chat asked us to wait (Slack: status 429).", ("chat",)),
    "refused": Figure(
        Counter,
        "Times that a chat did not take a page, by why: trouble, wait, access, channel, gone or content.",
        ("chat", "why"),
    ),
    "jobs_failed": Figure(Counter, "Runs of a job that ended in an error; the log says why.", ("job",)),
    "queue_age_seconds": Figure(
        Gauge, "How long the oldest waits: of pages for their chat, or of complete series for their review.", ("queue",)
    ),
    "stored": Figure(
        Gauge, "How much the database holds: mails, series, findings; series and deliveries by state, too.", ("kind",)
    ),
}


class Figures:
    """A Meter of bot.ports: the figures of FIGURES, each with the prefix ``gracewatch_``, in a registry of their own.

    A name or label that is not in the table raises ValueError.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._metrics = {
            name: figure.kind(f"gracewatch_{name}", figure.help, figure.labels, registry=self.registry)
            for name, figure in FIGURES.items()
        }

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        self._metric(name, Counter, labels).inc(amount)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        self._metric(name, Gauge, labels).set(value)

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        self._metric(name, Histogram, labels).observe(seconds)

    def _metric(self, name: str, kind: type[MetricT], labels: Mapping[str, str]) -> MetricT:
        figure = FIGURES.get(name)
        if figure is None or figure.kind is not kind:
            raise ValueError(f"no {kind.__name__.lower()} is called {name!r}; the table is FIGURES in bot/health.py")
        metric: Any = self._metrics[name]
        labelled: MetricT = metric.labels(**labels) if labels or figure.labels else metric
        return labelled


class HealthError(Exception):
    """The health server could not start; the message says why and the cure."""


class Health:
    """Serves /healthz (the process answers), /readyz (each part works) and /metrics (all figures).

    Ready means: the store can be reached, each chat is healthy, and nothing that ``note`` was told of is wrong.
    ``patience``: how long series wait for parts that are missing.
    """

    def __init__(
        self, store: Store, chats: Sequence[Chat], figures: Figures, patience: timedelta = timedelta(0)
    ) -> None:
        self._store = store
        self._patience = patience
        self._chats = chats
        self._figures = figures
        self._noted: dict[str, str] = {}
        self._runner: web.AppRunner | None = None

    def note(self, part: str, problem: str) -> bool:
        """Say how a part does: "feed kvm" and why its last poll failed, or ""; whether that is new."""
        former, self._noted[part] = self._noted.get(part, ""), problem
        return former != problem

    async def start(self, host: str, port: int) -> str:
        """Listen, and return the address; with port 0 the system chooses one.  Raises HealthError."""
        app = web.Application()
        app.add_routes(
            [web.get("/healthz", self._alive), web.get("/readyz", self._ready), web.get("/metrics", self._metrics)]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as fault:
            await runner.cleanup()
            raise HealthError(
                f"cannot listen on {host}:{port} ({fault.strerror}); set health.host and health.port, "
                "or health.enabled = false"
            ) from fault
        self._runner = runner
        bound = runner.addresses[0]
        return f"http://{f'[{bound[0]}]' if ':' in bound[0] else bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def parts(self) -> dict[str, str]:
        """Every part, with "ok" or what is wrong with it."""
        chats = {f"chat {chat.name}": FINE if chat.healthy() else "cannot be reached" for chat in self._chats}
        noted = {part: problem or FINE for part, problem in self._noted.items()}
        return {"store": await self._store_problem() or FINE, **chats, **noted}

    async def _store_problem(self) -> str:
        try:
            await asyncio.wait_for(self._store.ping(), PATIENCE)
        except StoreError as fault:
            return str(fault)
        except TimeoutError:
            return f"no answer within {PATIENCE:g} seconds"
        return ""

    async def _alive(self, _request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _ready(self, _request: web.Request) -> web.Response:
        parts = await self.parts()
        ready = all(state == FINE for state in parts.values())
        held = {"name": self._store.replica, "holds": await self._held()}
        return web.json_response({"ready": ready, "parts": parts, "replica": held}, status=200 if ready else 503)

    async def _held(self) -> dict[str, Sequence[str]]:
        """What this replica holds, by kind; nothing when the store cannot say."""
        try:
            async with asyncio.timeout(PATIENCE), self._store.reading() as work:
                return dict((await work.holdings()).get(self._store.replica, {}))
        except (StoreError, TimeoutError):
            return {}

    async def _metrics(self, request: web.Request) -> web.Response:
        try:
            await asyncio.wait_for(self._count_stored(), PATIENCE)
        except (StoreError, TimeoutError) as fault:
            # The other figures are wanted most when the store is in trouble; /readyz names the trouble.
            LOG.warning("the store was not counted", reason=str(fault))
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._figures.registry), headers={"Content-Type": content_type})

    async def _count_stored(self) -> None:
        async with self._store.reading() as work:
            counts, waiting, now = await work.counts(), await work.waiting(), await work.clock()
        for queue, earlier in (("pages", timedelta(0)), ("reviews", self._patience)):
            since = waiting.get(queue, now + earlier) - earlier
            self._figures.gauge("queue_age_seconds", max((now - since).total_seconds(), 0), queue=queue)
        for kind, amount in counts.items():
            self._figures.gauge("stored", amount, kind=kind)
