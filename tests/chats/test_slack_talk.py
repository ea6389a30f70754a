"""A person talks to the whole bot in Slack: real commands on a real store.

card of a series (v1 with one finding)
  └── alice: "explain"          the rule that spoke there, for alice alone
alice: /rcu status --here       for all to see
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.chats.slack import Slack, Socket
from bot.model import Alert, DeliveryState
from bot.report.alert import View, compose
from bot.report.deliveries import deliveries
from handlers.asked import asked
from tests.chats.slack_server import ALICE, APP_TOKEN, BOT_TOKEN, CHANNEL_NAME, SlackServer, slack_server
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module
from tests.commands.world import Bot, bot
from tests.report.making import RELEASE, story


async def post_card(it: Bot, slack: Slack) -> str:
    """The card as the outbox posts it: sent, and its id noted."""
    alert = compose(story((RELEASE,)), View("slack"))
    assert isinstance(alert, Alert)
    card, *_ = deliveries(alert, "slack", CHANNEL_NAME)
    remote_id = await slack.post(CHANNEL_NAME, card.page, thread="", delivery=card.key)
    async with it.store.transaction() as transaction:
        await transaction.queue(card)
        await transaction.save_delivery(replace(card, state=DeliveryState.SENT, remote_id=remote_id))
    return remote_id


async def answer_with(server: SlackServer, words: str) -> dict[str, Any]:
    async def look() -> Any:
        return next((found for found in await server.bot_messages() if words in str(found.get("blocks"))), None)

    found: dict[str, Any] = await server.until(look)
    return found


async def test_a_person_asks_in_a_thread_and_with_the_command(tmp_path: Path) -> None:
    async with slack_server(tmp_path) as server, bot(tmp_path) as it:
        slack = Slack(BOT_TOKEN, Socket(APP_TOKEN, ping_interval=0.2), channels=(CHANNEL_NAME,), api_url=server.api_url)
        ears = asyncio.create_task(slack.listen(lambda ask: asked(ask, it.doors)))
        try:
            await server.until(lambda: asyncio.sleep(0, slack.healthy()))
            card = await post_card(it, slack)
            await server.say("thanks, I will look into it", thread=card)
            await server.say("explain", thread=card)
            explained = await answer_with(server, "Remove with list_del_rcu()")
            assert (explained["thread_ts"], explained["ephemeral_to"]) == (card, ALICE)
            await server.command("check v2-1@example.org")
            await answer_with(server, "KVM: walk devices v2")
            await server.command("status --here")
            status = await answer_with(server, "gracewatch is at work")
            assert "ephemeral_to" not in status
            assert len(await server.bot_messages()) == 4
        finally:
            ears.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ears
