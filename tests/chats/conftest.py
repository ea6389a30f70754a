"""A Slack server for each test, and the chat that talks to it; a module may ask for both ways of hearing from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.chats.slack import Http, Slack, Socket
from bot.chats.slack.connection import EVENTS
from tests.chats.slack_server import (
    APP_TOKEN,
    BOT_TOKEN,
    CHANNEL_NAME,
    SECRET,
    SlackServer,
    slack_server,
)
from tests.ports import free_port


@pytest.fixture
def transport() -> str:
    """How Slack reaches the chat; a module that means both overrides this with parameters."""
    return "socket"


@pytest.fixture
async def server(tmp_path: Path, transport: str) -> AsyncIterator[SlackServer]:
    async with slack_server(tmp_path, http_mode=transport == "http") as it:
        yield it


@pytest.fixture
def slack(server: SlackServer, transport: str) -> Slack:
    connection: Http | Socket = Socket(APP_TOKEN, ping_interval=0.2)
    if transport == "http":
        port = free_port()
        connection = Http(SECRET, "127.0.0.1", port)
        server.listener = f"http://127.0.0.1:{port}{EVENTS}"
    return Slack(BOT_TOKEN, connection, channels=(CHANNEL_NAME,), api_url=server.api_url)
