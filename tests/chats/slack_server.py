"""A Slack server for tests: local-slack, which we did not write, behind a proxy of ours that breaks things on demand.

    Slack chat  ──Web API──▶  proxy  ──▶  local-slack
                ◀──events───         ◀──     over a socket that the chat opened, or as signed requests

The proxy also keeps message metadata, which local-slack accepts and forgets: it hands it back with history and replies
to those who ask for it, as Slack does.  What local-slack cannot bring about (a shared link, a message shortcut, an
event that comes twice) the proxy tells the chat itself, signed as local-slack signs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web

from tests.ports import free_port

BINARY = Path(__file__).parents[2] / "node_modules" / "local-slack-linux-x64" / "bin" / "local-slack"
needs_slack = [
    pytest.mark.slack,
    pytest.mark.skipif(not BINARY.exists(), reason="local-slack is absent: npm install local-slack-linux-x64@0.1.8"),
]
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-test-token", "xapp-test-token", "signing-secret-of-the-test"
PATIENCE = 120.0  # seconds until a test gives up: far more than a loaded machine needs
CHANNEL, CHANNEL_NAME, ALICE = "C01GEN", "#general", "U01ALICE"
WORKSPACE = f"""\
workspace: {{id: T01, name: test}}
users:
  - {{id: {ALICE}, name: alice, real_name: Alice}}
channels:
  - {{id: {CHANNEL}, name: general, members: [U0BOT, {ALICE}]}}
  - {{id: C02KVM, name: kvm}}
apps:
  - appId: A01
    botName: gracewatch
    botToken: {BOT_TOKEN}
    appToken: {APP_TOKEN}
    signingSecret: {SECRET}
"""


class SlackServer:
    """What a test sees of the server.  ``faults`` maps a Web API method to what goes wrong with its next calls.

    Faults: "429 7" (Retry-After: 7), "500", "html" (a page in place of JSON), "cut" (the call never arrives), "lost"
    (it arrives and the answer is lost), "orphan" (the card of the thread is gone), or an error code of Slack's own.
    """

    def __init__(self, http: aiohttp.ClientSession, upstream: str) -> None:
        self.upstream = upstream
        self._http = http
        self._metadata: dict[str, Any] = {}
        self._sockets: set[web.WebSocketResponse] = set()
        self.address = ""
        self.faults: dict[str, list[str]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.acknowledged: list[str] = []
        self.answers: list[int] = []  # what the chat answered to signed requests
        self.listener = ""  # where the chat takes signed requests
        self.twice = False  # every event comes twice, as after a slow yes
        # Told who calls what, "chat.postMessage comes" and "… done"; who is what stands before "/api/" in its address.
        self.watch: Callable[[str, str], None] = lambda _who, _step: None

    @property
    def api_url(self) -> str:
        return f"{self.address}/api/"

    # ---- what a person does and sees

    async def control(self, what: str, **words: Any) -> Any:
        async with self._http.post(f"{self.upstream}/_control/{what}", json=words) as answer:
            return await answer.json()

    async def say(self, text: str, thread: str = "") -> str:
        words = {"channel": CHANNEL, "user": ALICE, "text": text, **({"thread_ts": thread} if thread else {})}
        said = await self.control("message", **words)
        return str(said["message"]["ts"])

    async def command(self, text: str) -> None:
        await self.control("command", channel=CHANNEL, user=ALICE, command="/rcu", text=text)

    async def click(self, message: dict[str, Any], label: str, user: str = ALICE) -> None:
        """Press the button of this label, as the browser page does."""
        button = button_of(message, label)
        action = {"type": "button", "block_id": "b", **button, "action_ts": f"{time.time():.6f}"}
        await self.control("interact", channel=CHANNEL, messageTs=message["ts"], user=user, action=action)

    async def fill_in(self, block: str, field: str, answer: str, user: str = ALICE) -> None:
        """Send the open form with this answer, over the socket that the browser page uses."""
        values = {block: {field: {"type": "plain_text_input", "value": answer}}}
        async with self._http.ws_connect(f"{self.upstream.replace('http', 'ws')}/ui") as page:
            await page.send_json({"t": "view_submit", "user": user, "values": values})

    async def click_home(self, view: dict[str, Any], label: str) -> None:
        """Press a button of App Home, over the socket that the browser page uses."""
        action = {"type": "button", "block_id": "b", **button_of(view, label), "action_ts": f"{time.time():.6f}"}
        async with self._http.ws_connect(f"{self.upstream.replace('http', 'ws')}/ui") as page:
            await page.send_json({"t": "block_action", "user": ALICE, "action": action, "appId": "A01"})

    async def open_home(self) -> None:
        await self.control("open-home", user=ALICE)

    async def tell(self, kind: str, payload: dict[str, Any]) -> None:
        """Tell the chat something that local-slack cannot bring about; ``kind`` is Socket Mode's word for it."""
        if not self.listener:
            envelope = {"type": kind, "envelope_id": str(uuid.uuid4()), "payload": payload}
            for connection in tuple(self._sockets):
                await connection.send_str(json.dumps({**envelope, "accepts_response_payload": kind != "events_api"}))
            return
        text = json.dumps(payload)
        body = (text if kind == "events_api" else urlencode({"payload": text})).encode()
        kind_of = "application/json" if kind == "events_api" else "application/x-www-form-urlencoded"
        await self.request(body, {"Content-Type": kind_of, **signed(body)})

    async def request(self, body: bytes, headers: dict[str, str]) -> int:
        """Send the chat a request, signed or not, and note what it answers."""
        async with self._http.post(self.listener, data=io.BytesIO(body), headers=headers) as answer:
            self.answers.append(answer.status)
            return answer.status

    async def bot_user(self) -> str:
        async with self._http.get(f"{self.upstream}/_control/state") as answer:
            return str((await answer.json())["apps"][0]["botUserId"])

    async def messages(self, channel: str = CHANNEL) -> list[dict[str, Any]]:
        async with self._http.get(f"{self.upstream}/_control/messages/{channel}") as answer:
            found: list[dict[str, Any]] = (await answer.json())["messages"]
            return found

    async def bot_messages(self, channel: str = CHANNEL) -> list[dict[str, Any]]:
        return [message for message in await self.messages(channel) if message.get("bot_id")]

    async def until(self, ready: Callable[[], Awaitable[Any]]) -> Any:
        """What ``ready`` gives once that is true."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await ready()):
                await asyncio.sleep(0.02)
            return found

    # ---- the proxy

    async def api(self, request: web.Request) -> web.StreamResponse:
        method, who = request.match_info["method"], request.match_info.get("who", "")
        raw = await request.read()
        arguments = await _arguments(request, raw)
        self.calls.append((method, arguments))
        self.watch(who, f"{method} comes")
        fault = self.faults[method].pop(0) if self.faults.get(method) else ""
        if fault.startswith("429"):
            headers = {"Retry-After": fault.removeprefix("429 ")}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if fault == "500":
            return web.json_response({"ok": False, "error": "internal_error"}, status=500)
        if fault == "html":
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html", status=502)
        if fault == "cut":
            return await _cut(request)
        if fault == "orphan":
            # What Slack does then: the reply goes to the channel, without a word.
            del arguments["thread_ts"]
            return web.json_response(await self._forwarded(request, json.dumps(arguments).encode()))
        if fault and fault != "lost":
            return web.json_response({"ok": False, "error": fault})
        answer = await self._forwarded(request, raw)
        self._note_metadata(method, arguments, answer)
        self.watch(who, f"{method} done")
        if fault == "lost":
            return await _cut(request)
        return web.json_response(answer)

    async def _forwarded(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = f"{self.upstream}/api/{request.match_info['method']}?{request.rel_url.query_string}"
        async with self._http.request(request.method, url, data=raw, headers=headers) as answer:
            found: dict[str, Any] = await answer.json()
        if "url" in found and found["url"].startswith("ws://"):
            found["url"] = f"{self.address.replace('http', 'ws')}/socket/{found['url'].rsplit('/', 1)[1]}"
        return found

    def _note_metadata(self, method: str, arguments: dict[str, Any], answer: dict[str, Any]) -> None:
        if method == "chat.postMessage" and answer.get("ok") and arguments.get("metadata"):
            metadata = arguments["metadata"]
            self._metadata[answer["ts"]] = json.loads(metadata) if isinstance(metadata, str) else metadata
        if str(arguments.get("include_all_metadata", "")).lower() in {"true", "1"}:
            for message in answer.get("messages", ()):
                message |= {"metadata": self._metadata[message["ts"]]} if message["ts"] in self._metadata else {}

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """A Socket Mode connection, carried both ways until either side or ``drop_sockets`` ends it."""
        inner = web.WebSocketResponse()
        await inner.prepare(request)
        self._sockets.add(inner)
        url = f"{self.upstream.replace('http', 'ws')}/socket/{request.match_info['id']}"
        try:
            async with self._http.ws_connect(url) as outer:
                down = asyncio.create_task(self._pump(outer, inner))
                await self._pump(inner, outer)
                down.cancel()
        finally:
            self._sockets.discard(inner)
            await inner.close()
        return inner

    async def _pump(self, source: Any, sink: Any) -> None:
        async for message in source:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            envelope = json.loads(message.data) if '"envelope_id"' in message.data else {}
            if envelope and "type" not in envelope:
                self.acknowledged.append(envelope["envelope_id"])
            await sink.send_str(message.data)
            if self.twice and "type" in envelope:
                await sink.send_str(json.dumps({**envelope, "envelope_id": str(uuid.uuid4()), "retry_attempt": 1}))

    async def event(self, request: web.Request) -> web.Response:
        """A signed request of local-slack on its way to the chat."""
        raw = await request.read()
        kept = ("Content-Type", "X-Slack-Signature", "X-Slack-Request-Timestamp")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        answers = []
        for _ in range(2 if self.twice else 1):
            async with self._http.post(self.listener, data=raw, headers=headers) as answer:
                answers.append((answer.status, await answer.read(), answer.content_type))
                self.answers.append(answer.status)
        status, body, content_type = answers[0]
        return web.Response(status=status, body=body, content_type=content_type)

    def drop_sockets(self) -> None:
        for connection in tuple(self._sockets):
            if connection._req is not None and connection._req.transport is not None:
                connection._req.transport.abort()

    @property
    def connected(self) -> int:
        return len(self._sockets)


def button_of(message: dict[str, Any], label: str) -> dict[str, Any]:
    """The button with this label, as it stands in a message or a view."""
    found: dict[str, Any] = next(
        element
        for block in message["blocks"]
        for element in block.get("elements", ())
        if block["type"] == "actions" and element["text"]["text"] == label
    )
    return found


def signed(body: bytes, at: float = 0, secret: str = SECRET) -> dict[str, str]:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    stamp = str(int(at or time.time()))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


async def _cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _arguments(request: web.Request, raw: bytes) -> dict[str, Any]:
    arguments: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        arguments |= json.loads(raw or b"{}")
    elif raw:
        arguments |= dict(await request.post())
    return arguments


@asynccontextmanager
async def slack_server(folder: Path, *, http_mode: bool = False) -> AsyncIterator[SlackServer]:
    """A fresh workspace with its proxy; both are gone afterwards.

    In HTTP mode events go to the ``listener`` of the server, which the test sets.
    """
    workspace = folder / "workspace.yaml"
    port, proxy_port = free_port(), free_port()
    way = f"    mode: events\n    requestUrl: http://127.0.0.1:{proxy_port}/event\n" if http_mode else ""
    workspace.write_text(WORKSPACE + way)
    log = (folder / "local-slack.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(BINARY), "--config", str(workspace), "--port", str(port), "--base-host", "127.0.0.1",
        stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "HOME": str(folder)},
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as http:
            server = SlackServer(http, f"http://127.0.0.1:{port}")
            await server.until(lambda: _answers(http, f"http://127.0.0.1:{port}/_control/state"))
            app = web.Application()
            app.router.add_route("*", "/api/{method}", server.api)
            app.router.add_route("*", "/{who}/api/{method}", server.api)
            app.router.add_get("/socket/{id}", server.socket)
            app.router.add_post("/event", server.event)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", proxy_port)
            await site.start()
            server.address = f"http://127.0.0.1:{proxy_port}"
            try:
                yield server
            finally:
                await runner.cleanup()
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        log.close()
        shutil.rmtree(folder / ".cache", ignore_errors=True)


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def heard(server: SlackServer, words: str) -> dict[str, Any]:
    """The bot's message that holds these words, once it is there."""

    async def look() -> Any:
        return next((found for found in await server.bot_messages() if words in str(found.get("text"))), None)

    found: dict[str, Any] = await server.until(look)
    return found


def called(server: SlackServer, method: str) -> list[dict[str, Any]]:
    """The arguments of every call of a Web API method so far."""
    return [arguments for name, arguments in server.calls if name == method]
