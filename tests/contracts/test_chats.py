"""What every chat keeps to, asked of the console, of Slack and of Matrix."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.chats.console import Console
from bot.chats.matrix import Matrix
from bot.chats.slack import Slack, Socket
from bot.model import Ask, Code, Fields, Level, Page, Reply, Text
from bot.ports import Chat
from tests.chats.matrix_server import matrix_room, needs_matrix
from tests.chats.slack_server import APP_TOKEN, BOT_TOKEN, CHANNEL_NAME, PATIENCE, needs_slack, slack_server

PAGE = Page(
    "list_del() on kvm.devices",
    "https://lore.kernel.org/r/a@example.org",
    Level.ERROR,
    (Text("v1: 1 new"), Fields((("author", "Ada"),)), Code("list_del(&dev->vm_node);"), Text("small", quiet=True)),
)
CHANGED = Page("list_del() on kvm.devices", parts=(Text("v2: 1 fixed, 0 still open, 0 new"),))


@dataclass
class Place:
    """A chat, a channel in it, and all that a person can read there."""

    chat: Chat
    channel: str
    read: Callable[[], Awaitable[str]]


@pytest.fixture(
    params=["console", pytest.param("slack", marks=needs_slack), pytest.param("matrix", marks=needs_matrix)]
)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    if request.param == "console":
        out = io.StringIO()

        async def printed() -> str:
            return out.getvalue()

        yield Place(Console(out, lambda: 100), "kvm", printed)
        return
    if request.param == "matrix":
        async with matrix_room(request.getfixturevalue("matrix_accounts")) as room:

            async def seen() -> str:
                return str(await room.bot_events())

            yield Place(Matrix(room.address, room.bot_token, channels=(room.alias,)), room.alias, seen)
        return
    async with slack_server(tmp_path) as server:

        async def shown() -> str:
            return str(await server.bot_messages())

        yield Place(Slack(BOT_TOKEN, Socket(APP_TOKEN), api_url=server.api_url), CHANNEL_NAME, shown)


async def test_a_posted_page_can_be_read(place: Place) -> None:
    assert await place.chat.post(place.channel, PAGE, thread="", delivery="k1")
    text = await place.read()
    for words in (
        "list_del() on kvm.devices",
        "v1: 1 new",
        "Ada",
        "vm_node",
        "small",
        "lore.kernel.org/r/a@example.org",
    ):
        assert words in text


async def test_each_post_has_an_id_of_its_own(place: Place) -> None:
    card = await place.chat.post(place.channel, PAGE, thread="", delivery="k1")
    replies = {await place.chat.post(place.channel, PAGE, thread=card, delivery=f"r{n}") for n in range(3)}
    assert len({card, *replies}) == 4


async def test_an_edited_card_shows_its_new_state(place: Place) -> None:
    card = await place.chat.post(place.channel, PAGE, thread="", delivery="k1")
    await place.chat.edit(place.channel, card, CHANGED)
    assert "v2: 1 fixed, 0 still open, 0 new" in await place.read()


async def test_a_card_is_found_again_by_its_delivery(place: Place) -> None:
    card = await place.chat.post(place.channel, PAGE, thread="", delivery="k1")
    assert await place.chat.find(place.channel, "k1", thread="") == card
    assert await place.chat.find(place.channel, "k2", thread="") is None


async def test_a_reply_is_found_again_in_its_thread(place: Place) -> None:
    card = await place.chat.post(place.channel, PAGE, thread="", delivery="k1")
    reply = await place.chat.post(place.channel, PAGE, thread=card, delivery="r1")
    assert await place.chat.find(place.channel, "r1", thread=card) == reply


async def test_an_edit_does_not_hide_a_card_from_find(place: Place) -> None:
    card = await place.chat.post(place.channel, PAGE, thread="", delivery="k1")
    await place.chat.edit(place.channel, card, CHANGED)
    assert await place.chat.find(place.channel, "k1", thread="") == card


async def test_listening_ends_when_it_is_cancelled(place: Place) -> None:
    async def answer(ask: Ask) -> Reply | None:
        return None

    ears = asyncio.create_task(place.chat.listen(answer))
    async with asyncio.timeout(PATIENCE):
        while not place.chat.healthy():
            await asyncio.sleep(0.02)
    ears.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ears


async def test_hostile_text_is_posted_and_does_no_harm(place: Place) -> None:
    hostile = "<!channel> ``` \x1b[2J \u202e @here " * 50
    page = Page(hostile, parts=(Text(hostile), Code(hostile), Fields(((hostile, hostile),))))
    assert await place.chat.post(place.channel, page, thread="", delivery="k1")
    text = await place.read()
    assert "\x1b" not in text
    assert "\u202e" not in text
