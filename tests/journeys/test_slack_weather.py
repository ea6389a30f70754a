"""Slack on a bad day, in simulated time: a burst of series, an hour without Slack, a card that somebody deletes.

The outbox, its store and the Slack chat are the real ones; the clock is moved by hand, second by second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bot.chats.slack import Slack, Socket
from bot.model import Delivery, Page, Text
from handlers.delivery_due import delivery_due
from tests.chats.slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    CHANNEL,
    CHANNEL_NAME,
    SlackServer,
    called,
    needs_slack,
    slack_server,
)
from tests.handlers.outbox import Outbox, outbox

pytestmark = needs_slack
SECOND = timedelta(seconds=1)


@asynccontextmanager
async def slack_day(folder: Path) -> AsyncIterator[tuple[SlackServer, Outbox, Slack]]:
    async with slack_server(folder) as server, outbox(folder) as it:
        yield server, it, Slack(BOT_TOKEN, Socket(APP_TOKEN), api_url=server.api_url)


def series(number: int) -> tuple[Delivery, Delivery]:
    """The card of a series and one warning below it."""
    name = f"series {number}."
    card = Delivery(f"card {number}", "slack", CHANNEL_NAME, name, Page(name, parts=(Text("v1: 1 new"),)), card=True)
    return card, replace(card, key=f"reply {number}", page=Page(f"warning of {name}"), card=False)


async def deliver(it: Outbox, slack: Slack) -> int:
    return await delivery_due(it.store, it.clock, {"slack": slack}, it.figures)


async def test_forty_series_in_a_minute_come_steadily_each_in_its_thread(tmp_path: Path) -> None:
    async with slack_day(tmp_path) as (server, it, slack):
        sent = []
        for second in range(100):
            if second < 60 and second * 40 // 60 != (second - 1) * 40 // 60:
                await it.queue(*series(second * 40 // 60))
            sent.append(await deliver(it, slack))
            it.clock.pass_by(SECOND)
        messages = await server.bot_messages()
        assert sum(sent) == len(messages) == 80
        assert all(sum(sent[start : start + 10]) <= 12 for start in range(90))  # one a second, and a short burst
        cards = {message["ts"]: message["text"].split(" - ")[0] for message in messages if not message.get("thread_ts")}
        below = Counter(cards[message["thread_ts"]] for message in messages if message.get("thread_ts"))
        assert len(cards) == 40
        assert set(below.values()) == {1}
        assert all(cards[m["thread_ts"]] in m["text"] for m in messages if m.get("thread_ts"))


async def test_slack_is_down_for_an_hour_and_everything_comes_once_and_in_order(tmp_path: Path) -> None:
    async with slack_day(tmp_path) as (server, it, slack):
        weather = ["500", "cut", "html", "429 30"] * 50
        server.faults = {"chat.postMessage": list(weather), "conversations.history": ["500"] * 500}
        for number in range(10):
            await it.queue(*series(number))
        for _ in range(360):
            await deliver(it, slack)
            it.clock.pass_by(10 * SECOND)
        assert await server.bot_messages() == []
        assert len(server.calls) < 60  # no hammering
        server.faults.clear()
        for _ in range(90):
            await deliver(it, slack)
            it.clock.pass_by(10 * SECOND)
        texts = [message["text"] for message in await server.bot_messages()]
        assert [text.split(" - ")[0] for text in texts] == [
            words for number in range(10) for words in (f"series {number}.", f"warning of series {number}.")
        ]
        assert (await it.counts())["gave-up"] == 0


async def test_answers_that_are_lost_again_and_again_make_no_second_message(tmp_path: Path) -> None:
    async with slack_day(tmp_path) as (server, it, slack):
        server.faults = {"chat.postMessage": ["lost", "lost"], "conversations.replies": ["500"]}
        await it.queue(*series(0))
        for _ in range(60):
            await deliver(it, slack)
            it.clock.pass_by(SECOND)
        assert len(await server.bot_messages()) == 2
        assert len(called(server, "chat.postMessage")) == 2


async def test_a_deleted_card_comes_back_when_there_is_more_to_say(tmp_path: Path) -> None:
    async with slack_day(tmp_path) as (server, it, slack):
        card, reply = series(0)
        await it.queue(card)
        await deliver(it, slack)
        (stood,) = await server.bot_messages()
        await slack._client.chat_delete(channel=CHANNEL, ts=stood["ts"])
        server.faults = {"chat.postMessage": ["orphan"]}  # what Slack does with a reply to a card that is gone
        await it.queue(reply)
        await deliver(it, slack)
        first, second = [message for message in await server.bot_messages() if message["ts"] != stood["ts"]]
        assert first["text"].startswith("series 0.")
        assert second["thread_ts"] == first["ts"]
