"""A store with an outbox, and chats that fail on demand, for the tests of what reviews and delivers."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot.chats.console import Console
from bot.cli.sitting import LeapingClock
from bot.health import Figures
from bot.model import Delivery, Page, Text
from bot.ports import Cause, ChatError
from bot.store import SqlStore
from handlers.delivery_due import delivery_due

CHANNEL, THREAD = "#kvm", "thread-1"


class Troubled(Console):
    """The console; each fault is raised once, before a page is printed or after."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        super().__init__(self.out, lambda: 100)
        self.before: list[BaseException] = []
        self.after: list[BaseException] = []
        self.deleted: list[str] = []  # channels whose next edited message is gone
        self.before_edit: list[BaseException] = []
        self.after_edit: list[BaseException] = []
        self.looked_up: list[str] = []

    async def post(self, channel: str, page: Page, *, thread: str, delivery: str, broadcast: bool = False) -> str:
        if self.before:
            raise self.before.pop(0)
        remote_id = await super().post(channel, page, thread=thread, delivery=delivery, broadcast=broadcast)
        if self.after:
            raise self.after.pop(0)
        return remote_id

    async def edit(self, channel: str, remote_id: str, page: Page) -> None:
        if self.before_edit:
            raise self.before_edit.pop(0)
        if channel in self.deleted:
            self.deleted.remove(channel)
            raise ChatError("the message was deleted", cause=Cause.GONE)
        await super().edit(channel, remote_id, page)
        if self.after_edit:
            raise self.after_edit.pop(0)

    def forget(self) -> None:
        """Somebody deleted all that stands."""
        self._posted.clear()

    async def find(self, channel: str, delivery: str, *, thread: str) -> str | None:
        self.looked_up.append(delivery)
        return await super().find(channel, delivery, thread=thread)

    @property
    def said(self) -> str:
        return self.out.getvalue()


class SteppingClock(LeapingClock):
    """A clock that stands still until time passes by."""

    def __init__(self) -> None:
        super().__init__()
        self._now = super().now()

    def now(self) -> datetime:
        return self._now + self._ahead

    def pass_by(self, time: timedelta) -> None:
        self._ahead += time


@dataclass
class Outbox:
    store: SqlStore
    chat: Troubled = field(default_factory=Troubled)
    clock: SteppingClock = field(default_factory=SteppingClock)
    figures: Figures = field(default_factory=Figures)

    async def queue(self, *deliveries: Delivery) -> None:
        async with self.store.transaction() as transaction:
            for delivery in deliveries:
                assert await transaction.queue(delivery)

    async def deliver(self) -> int:
        return await delivery_due(self.store, self.clock, {"console": self.chat}, self.figures)

    async def counts(self) -> dict[str, int]:
        async with self.store.transaction() as transaction:
            return await transaction.counts()

    async def unfinished(self) -> Sequence[Delivery]:
        """What waits in the outbox, whenever it may go."""
        self.clock.leap()
        async with self.store.transaction() as transaction:
            return await transaction.due_deliveries(self.clock.now(), 50)

    def figure(self, name: str, **labels: str) -> float:
        return self.figures.registry.get_sample_value(f"gracewatch_{name}_total", labels) or 0


@asynccontextmanager
async def outbox(folder: Path) -> AsyncIterator[Outbox]:
    store = SqlStore(f"sqlite:///{folder / 'gracewatch.db'}")
    await store.upgrade()
    try:
        yield Outbox(store)
    finally:
        await store.close()


def card(words: str = "v1: 1 new", key: str = "card v1", channel: str = CHANNEL, chat: str = "console") -> Delivery:
    return Delivery(key, chat, channel, THREAD, Page("KVM: walk devices", parts=(Text(words),)), card=True)


def reply(key: str = "reply 1", channel: str = CHANNEL) -> Delivery:
    return Delivery(key, "console", channel, THREAD, Page(f"list_del() of {key}"))
