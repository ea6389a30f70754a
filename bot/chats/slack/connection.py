"""The two ways Slack reaches the bot: over a socket that the bot opens, or with signed requests to its own server."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Protocol

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.ports import Cause, ChatError

_PATIENCE = 6  # looks at a broken connection before it is built anew
_CONNECTING = 60.0
EVENTS = "/slack/events"

log = structlog.get_logger(__name__)


class Connection(Protocol):
    """Carries what Slack tells to a Bolt app."""

    name: str
    signing_secret: str

    async def serve(self, app: AsyncApp) -> None:
        """Carry until the connection is broken for good or this is cancelled.

        Raises what the Slack client raises, and ChatError when there is no way to listen.
        """
        ...

    async def trial(self, client: AsyncWebClient) -> None:
        """See whether it could be used; raises what the Slack client raises."""
        ...

    def healthy(self) -> bool: ...


class Socket:
    """Socket Mode: needs no address that Slack can reach, so it works behind every firewall."""

    name = "Socket Mode"
    signing_secret = ""  # nothing that comes over the socket is signed: the bot opened it itself

    def __init__(self, app_token: str, *, ping_interval: float = 10) -> None:
        self._app_token = app_token
        self._ping_interval = ping_interval
        self._client: SocketModeClient | None = None

    async def serve(self, app: AsyncApp) -> None:
        handler = AsyncSocketModeHandler(app, self._app_token, ping_interval=self._ping_interval)
        try:
            # Asked here and not by connect(), which would go on for ever with a bad token.
            handler.client.wss_uri = await handler.client.issue_new_wss_url()
            await asyncio.wait_for(handler.connect_async(), _CONNECTING)
            self._client = handler.client
            log.info("slack.listening", mode="socket")
            await self._watch()
        finally:
            self._client = None
            await handler.close_async()

    async def _watch(self) -> None:
        broken = 0
        while broken < _PATIENCE:
            await asyncio.sleep(self._ping_interval)
            broken = 0 if self.healthy() else broken + 1

    async def trial(self, client: AsyncWebClient) -> None:
        app = AsyncWebClient(token=self._app_token, base_url=client.base_url, retry_handlers=[])
        await app.apps_connections_open(app_token=self._app_token)

    def healthy(self) -> bool:
        client = self._client
        if client is None or client.closed or client.stale or client.current_session is None:
            return False
        return not client.current_session.closed


class Http:
    """Requests that Slack sends to ``/slack/events`` here, refused unless freshly signed with the secret (Bolt checks).

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """

    name = "HTTP"

    def __init__(self, signing_secret: str, host: str, port: int) -> None:
        self.signing_secret = signing_secret
        self._host = host
        self._port = port
        self.address = ""  # once it listens

    async def serve(self, app: AsyncApp) -> None:
        async def events(request: web.Request) -> web.Response:
            stamp = request.headers.get("X-Slack-Request-Timestamp", "")
            if not (stamp.isascii() and stamp.isdigit()):
                return web.Response(status=HTTPStatus.UNAUTHORIZED)
            try:
                said = await to_bolt_request(request)
            except (ValueError, RecursionError):  # anybody can send anything, and the signature is looked at later
                return web.Response(status=HTTPStatus.BAD_REQUEST)
            return await to_aiohttp_response(await app.async_dispatch(said))

        site = web.Application()
        site.router.add_post(EVENTS, events)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            self.address = f"http://{self._host}:{runner.addresses[0][1]}{EVENTS}"
            log.info("slack.listening", mode="http", address=self.address)
            await asyncio.Event().wait()
        except OSError as fault:
            cure = "set slack.http_host and slack.http_port to an address of this machine that is free"
            reason = f"cannot listen on {self._host}:{self._port} ({fault.strerror}); {cure}"
            raise ChatError(reason, cause=Cause.ACCESS) from fault
        finally:
            self.address = ""
            await runner.cleanup()

    async def trial(self, client: AsyncWebClient) -> None:
        """Slack has no method that says whether it could reach this address."""

    def healthy(self) -> bool:
        return bool(self.address)
