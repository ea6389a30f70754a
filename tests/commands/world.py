"""A bot with two versions of a series in a real store, one finding in the first, and a card in a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.catalog import rules
from bot.model import Alert, Ask, Base, DeliveryState, RawMail, Reply, Review, Series, SeriesState
from bot.report.alert import View, compose
from bot.report.deliveries import deliveries
from bot.report.text import render
from bot.review import review as reviewed
from bot.store import SqlStore
from handlers.asked import asked
from handlers.doors import Doors
from tests.report.making import RELEASE, review, series, story

CHANNEL, CARD, REPLY = "#kvm", "1700000000.000100", "1700000000.000200"


@dataclass
class Bot:
    store: SqlStore
    doors: Doors

    async def hear(self, words: str, *, place: str = "", addressed: bool = True, event: str = "") -> Reply | None:
        ask = Ask("slack", CHANNEL, "U1", words, place=place, addressed=addressed, event=event)
        return await asked(ask, self.doors)

    async def say(self, words: str, *, place: str = "") -> str:
        """The answer as text on one line."""
        reply = await self.hear(words, place=place)
        assert reply is not None
        return " ".join(render(reply.page, 500).split())


@asynccontextmanager
async def bot(folder: Path) -> AsyncIterator[Bot]:
    store = SqlStore(f"sqlite:///{folder / 'gracewatch.db'}")
    await store.upgrade()
    try:
        await _fill(store)

        async def look(series: Series) -> Review:
            return reviewed(series, Base())

        yield Bot(store, Doors(store, rules, look, about=lambda: (("version", "0.1.0"), ("feeds", "kvm"))))
    finally:
        await store.close()


async def _fill(store: SqlStore) -> None:
    first, second = series(1, SeriesState.REVIEWED), series(2, SeriesState.SETTLED)
    alert = compose(story((RELEASE,)), View("slack"))
    assert isinstance(alert, Alert)
    card, reply = deliveries(alert, "slack", CHANNEL)
    async with store.transaction() as transaction:
        for one in (first, second):
            await transaction.save_series(one)
            for patch in one.patches:
                await transaction.add_message(patch.message, RawMail("kvm", "1", b""), one.key)
        await transaction.add_review(review(1, RELEASE))
        for delivery, remote_id in ((card, CARD), (reply, REPLY)):
            await transaction.queue(delivery)
            await transaction.save_delivery(replace(delivery, state=DeliveryState.SENT, remote_id=remote_id))
