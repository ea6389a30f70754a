"""A bot with two versions of a series in a real store, one finding in the first, and a card in a channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from handlers.policy import Maintainers, Place, Policy
from handlers.previewed import Said, previewed
from tests.report.making import RELEASE, review, series, story

CHANNEL, CARD, REPLY = "#kvm", "1700000000.000100", "1700000000.000200"


NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)
BOSS, DEPUTY = "U9", "U8"
POLICY = Policy(
    (Place("slack", CHANNEL),),
    maintainers=(Maintainers(CHANNEL, (BOSS,), ("S1",)),),
    private=frozenset({"slack"}),
)


async def _members(chat: str, group: str) -> frozenset[str]:
    return frozenset({DEPUTY}) if (chat, group) == ("slack", "S1") else frozenset()


@dataclass
class Bot:
    store: SqlStore
    doors: Doors

    async def hear(
        self,
        words: str,
        *,
        place: str = "",
        addressed: bool = True,
        event: str = "",
        who: str = "U1",
        channel: str = CHANNEL,
    ) -> Reply | None:
        ask = Ask("slack", channel, who, words, place=place, addressed=addressed, event=event)
        return await asked(ask, self.doors)

    async def say(self, words: str, *, place: str = "", who: str = "U1", channel: str = CHANNEL) -> str:
        """The answer as text on one line."""
        reply = await self.hear(words, place=place, who=who, channel=channel)
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

        async def before(place: Place, words: str, span: timedelta) -> tuple[Said, ...]:
            scratch = SqlStore("sqlite://")
            await scratch.upgrade()
            try:
                return await previewed(store, scratch, look, place, NOW - span, NOW, words=words)
            finally:
                await scratch.close()

        about = (("version", "0.1.0"), ("feeds", "kvm"))
        yield Bot(
            store,
            Doors(store, rules, look, lambda: about, policy=POLICY, now=lambda: NOW, members=_members, preview=before),
        )
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
