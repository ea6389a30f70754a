"""A Matrix server for tests: synapse, which we did not write, with an account for the bot and one for alice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.chats.people import PATIENCE
from tests.ports import free_port

BIN = Path(__file__).parents[2] / ".venv-servers" / "bin"
needs_matrix = pytest.mark.skipif(
    not (BIN / "synapse_homeserver").exists(),
    reason="synapse is absent: python3 -m venv .venv-servers; .venv-servers/bin/pip install matrix-synapse==1.163.2",
)
LIMITS = {"per_second": 1000, "burst_count": 1000}


@dataclass
class MatrixServer:
    """A server with a room that alice made and the bot is invited to."""

    address: str
    http: aiohttp.ClientSession
    bot_token: str = ""
    alice_token: str = ""
    room: str = ""
    alias: str = "#kvm:test.example"
    bot: str = "@gracewatch:test.example"
    alice: str = "@alice:test.example"

    async def call(self, method: str, path: str, body: Any = None, token: str = "", **query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token or self.alice_token}"}
        url = f"{self.address}/_matrix/client/v3/{path}"
        async with self.http.request(method, url, json=body, headers=headers, params=query) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found

    async def say(self, text: str, thread: str = "", **more: Any) -> str:
        """Alice says something in the room, or below a message."""
        content = {"msgtype": "m.text", "body": text, **more}
        if thread:
            content["m.relates_to"] = {"rel_type": "m.thread", "event_id": thread}
        name = secrets.token_hex(8)
        said = await self.call("PUT", f"rooms/{self.room}/send/m.room.message/{name}", content)
        return str(said["event_id"])

    async def events(self) -> list[dict[str, Any]]:
        """What alice sees in the room, oldest first."""
        found = await self.call("GET", f"rooms/{self.room}/messages", dir="b", limit="200")
        return [event for event in reversed(found["chunk"]) if event["type"] == "m.room.message"]

    async def bot_events(self) -> list[dict[str, Any]]:
        return [event for event in await self.events() if event["sender"] == self.bot]

    async def heard(self, words: str) -> dict[str, Any]:
        """The bot's message that holds these words, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in await self.bot_events():
                    if words in event["content"].get("body", ""):
                        return event
                await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Accounts:
    """A running server, and the tokens of the bot and of alice."""

    address: str
    bot: str
    alice: str


@contextmanager
def matrix_process(folder: Path) -> Iterator[Accounts]:
    """A fresh server; it is gone afterwards."""
    port, config = free_port(), folder / "synapse.yaml"
    generate = ("--config-path", config, "--data-directory", folder, "--server-name", "test.example")
    subprocess.run(
        [BIN / "synapse_homeserver", *generate, "--generate-config", "--report-stats=no"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    config.write_text(_settings(config.read_text(), port))
    address = f"http://127.0.0.1:{port}"
    with (folder / "synapse.out").open("wb") as out:
        process = subprocess.Popen(
            [BIN / "synapse_homeserver", "--config-path", config], cwd=folder, stdout=out, stderr=out
        )
        try:
            _wait_for(f"{address}/health")
            yield Accounts(address, _account(address, config, "gracewatch"), _account(address, config, "alice"))
        finally:
            process.kill()
            process.wait()


def _settings(generated: str, port: int) -> str:
    settings = generated.replace("port: 8008", f"port: {port}").replace("    - ::1\n", "")
    ours = ("registration_shared_secret", "trusted_key_servers")
    lines = [line for line in settings.splitlines() if not line.startswith(ours) and "matrix.org" not in line]
    more: dict[str, Any] = {
        "registration_shared_secret": "s",
        "trusted_key_servers": [],
        "rc_message": LIMITS,
        "rc_login": {"address": LIMITS, "account": LIMITS},
        "rc_registration": LIMITS,
        "rc_joins": {"local": LIMITS},
        "rc_invites": {"per_room": LIMITS, "per_user": LIMITS, "per_issuer": LIMITS},
        "rc_room_creation": LIMITS,
    }
    return "\n".join((*lines, *(f"{name}: {json.dumps(value)}" for name, value in more.items()))) + "\n"


def _wait_for(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(address):  # noqa: S310  our own server
            return
        time.sleep(0.1)
    raise TimeoutError(address)


def _account(address: str, config: Path, name: str) -> str:
    """Make an account, and return a token for it."""
    register = [BIN / "register_new_matrix_user", "-c", config, "-u", name, "-p", name, "--no-admin", address]
    subprocess.run(register, check=True, capture_output=True)
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": name}
    asked = urllib.request.Request(f"{address}/_matrix/client/v3/login", json.dumps(login).encode())  # noqa: S310
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        return str(json.load(answer)["access_token"])


@asynccontextmanager
async def matrix_room(accounts: Accounts) -> AsyncIterator[MatrixServer]:
    """A new room that alice made and the bot is invited to."""
    async with aiohttp.ClientSession() as http:
        name = secrets.token_hex(4)
        server = MatrixServer(accounts.address, http, accounts.bot, accounts.alice, alias=f"#{name}:test.example")
        made = await server.call("POST", "createRoom", {"room_alias_name": name, "invite": [server.bot]})
        server.room = made["room_id"]
        yield server
