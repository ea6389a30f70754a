"""Slack as a chat, in Socket Mode: cards, replies in their threads, edits, and people's words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack_blocks import Rendered, rendered
from bot.chats.slack_ears import Ears
from bot.chats.slack_errors import REFUSED_CONTENT, TRANSPORT_FAULTS, understood
from bot.model import Ask, Page, Reply
from bot.ports import Answerer, ChatError

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]+")
_EVENT_TYPE = "gracewatch_delivery"
_PAGE = 200
_MOST_PAGES = 10
_PATIENCE = 6  # looks at a broken connection before it is built anew
_LONGEST_PAUSE = 300.0

log = structlog.get_logger(__name__)


class Slack:
    """A workspace.  Remote ids are message timestamps, which name a message within its channel.

    ``channels`` are the channels of the settings, as ``#name`` or id: asks from them carry the name used there.
    Deliveries are never repeated by the client, since a post that timed out may have arrived: the outbox looks with
    ``find`` before it tries again.
    """

    name = "slack"

    def __init__(
        self,
        bot_token: str,
        app_token: str,
        *,
        channels: Sequence[str] = (),
        api_url: str = "https://slack.com/api/",
        ping_interval: float = 10,
    ) -> None:
        self._client = AsyncWebClient(token=bot_token, base_url=api_url, retry_handlers=[])
        # A person waits for these, and an answer that is said twice does no harm.
        patient = AsyncRateLimitErrorRetryHandler(max_retry_count=3)
        self._answering = AsyncWebClient(token=bot_token, base_url=api_url, retry_handlers=[patient])
        self._app_token = app_token
        self._channels = tuple(channels)
        self._ping_interval = ping_interval
        self._ids: dict[str, str] = {}
        self._socket: SocketModeClient | None = None

    # -------------------------------------------------------------------------------------------- speaking

    async def post(self, channel: str, page: Page, *, thread: str, delivery: str) -> str:
        """Method chat.postMessage, with the delivery's key in the message's metadata.  Raises ChatError."""
        shown = rendered(page)
        try:
            place = await self._id(channel)
            said = await self._post(place, shown, thread, delivery)
        except TRANSPORT_FAULTS as fault:
            raise understood(fault, channel) from fault
        message: dict[str, Any] = said["message"]
        if thread and message.get("thread_ts") != thread:
            # Slack posts a reply to a deleted card into the channel, without a word.
            await self._client.chat_delete(channel=place, ts=str(said["ts"]))
            raise ChatError(f"the card of this thread was deleted in {channel}", final=True)
        return str(said["ts"])

    async def _post(self, place: str, shown: Rendered, thread: str, delivery: str) -> Any:
        words: dict[str, Any] = {
            "channel": place,
            "text": shown.text,
            "thread_ts": thread or None,
            "metadata": {"event_type": _EVENT_TYPE, "event_payload": {"delivery": delivery}},
            "unfurl_links": False,
            "unfurl_media": False,
            "parse": "none",
            "link_names": False,
        }
        try:
            return await self._client.chat_postMessage(**words, blocks=shown.blocks)
        except SlackApiError as fault:
            if fault.response.get("error") not in REFUSED_CONTENT:
                raise
            # Words alone are better than nothing.
            log.warning("slack.blocks_refused", error=fault.response.get("error"), delivery=delivery)
            return await self._client.chat_postMessage(**words)

    async def edit(self, channel: str, remote_id: str, page: Page) -> None:
        """Method chat.update.  Raises ChatError."""
        shown = rendered(page)
        try:
            await self._client.chat_update(
                channel=await self._id(channel),
                ts=remote_id,
                text=shown.text,
                blocks=shown.blocks,
                parse="none",
                link_names=False,
            )
        except TRANSPORT_FAULTS as fault:
            raise understood(fault, channel) from fault

    async def find(self, channel: str, delivery: str, *, thread: str) -> str | None:
        """Look through the channel's newest messages, or the thread's, for the delivery's key.  Raises ChatError."""
        try:
            place = await self._id(channel)
            async for message in self._messages(place, thread):
                metadata = message.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == _EVENT_TYPE and payload.get("delivery") == delivery:
                    return str(message["ts"])
        except TRANSPORT_FAULTS as fault:
            raise understood(fault, channel) from fault
        return None

    async def _messages(self, place: str, thread: str) -> AsyncIterator[dict[str, Any]]:
        """Methods conversations.replies and conversations.history, page by page."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            asked: dict[str, Any] = {
                "channel": place,
                "include_all_metadata": True,
                "limit": _PAGE,
                "cursor": cursor or None,
            }
            if thread:
                answer = await self._client.conversations_replies(ts=thread, **asked)
            else:
                answer = await self._client.conversations_history(**asked)
            for message in answer.get("messages") or ():
                yield message
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return

    async def _id(self, channel: str) -> str:
        """The id of a channel (method conversations.list).  Raises ChatError when there is none of this name."""
        if _CHANNEL_ID.fullmatch(channel):
            return channel
        if channel not in self._ids:
            self._ids[channel] = await self._looked_up(channel)
        return self._ids[channel]

    async def _looked_up(self, channel: str) -> str:
        cursor = ""
        while True:
            answer = await self._client.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=1000, cursor=cursor or None
            )
            for known in answer.get("channels") or ():
                if known.get("name") == channel.removeprefix("#"):
                    return str(known["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                cure = "check its name in the settings; a private channel needs the bot invited: /invite @gracewatch"
                raise ChatError(f"Slack has no channel {channel} that the bot can see; {cure}", final=True)

    # ------------------------------------------------------------------------------------------- listening

    async def listen(self, answer: Answerer) -> None:
        """Take words over a socket that is built anew when it breaks, until cancelled.

        Raises ChatError when Slack refuses the tokens: trying again would not help.
        """
        asked: set[asyncio.Future[Reply | None]] = set()

        async def noted(ask: Ask) -> Reply | None:
            task = asyncio.ensure_future(answer(ask))
            asked.add(task)
            task.add_done_callback(asked.discard)
            return await task

        try:
            await self._sessions(noted)
        finally:
            # Bolt answers in tasks of its own, which would go on when nobody listens any more.
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _sessions(self, answer: Answerer) -> None:
        pause = 1.0
        while True:
            try:
                await self._session(answer)
                pause = 1.0
            except (*TRANSPORT_FAULTS, ChatError) as fault:
                reason = fault if isinstance(fault, ChatError) else understood(fault, "Socket Mode")
                if reason.final:
                    raise reason from fault
                wait = max(pause, reason.retry_after.total_seconds() if reason.retry_after else 0)
                log.warning("slack.not_connected", reason=str(reason), next_try_in=wait)
                await asyncio.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def trial(self) -> str:
        """Try both tokens and the channels, say nothing, and return who the bot is.  Raises ChatError with the cure."""
        app = AsyncWebClient(token=self._app_token, base_url=self._client.base_url, retry_handlers=[])
        try:
            me = await self._client.auth_test()
            await app.apps_connections_open(app_token=self._app_token)
            for channel in self._channels:
                await self._id(channel)
        except TRANSPORT_FAULTS as fault:
            raise understood(fault, "the trial") from fault
        return f"{me.get('user')} in {me.get('team')}"

    async def _session(self, answer: Answerer) -> None:
        """One connection, until it is broken for good.  Raises what the Slack client raises."""
        await self._find_channels()
        me = await self._client.auth_test()
        app = AsyncApp(client=self._client)
        Ears(self._answering, str(me["user_id"]), answer, self._name_of).attach(app)
        handler = AsyncSocketModeHandler(app, self._app_token, ping_interval=self._ping_interval)
        try:
            # Asked here and not by connect(), which would go on for ever with a bad token.
            handler.client.wss_uri = await handler.client.issue_new_wss_url()
            await asyncio.wait_for(handler.connect_async(), 60)
            self._socket = handler.client
            log.info("slack.listening")
            await self._watch()
        finally:
            self._socket = None
            await handler.close_async()

    async def _watch(self) -> None:
        broken = 0
        while broken < _PATIENCE:
            await asyncio.sleep(self._ping_interval)
            broken = 0 if self.healthy() else broken + 1

    async def _find_channels(self) -> None:
        for channel in self._channels:
            try:
                await self._id(channel)
            except ChatError as fault:
                log.warning("slack.no_channel", reason=str(fault))  # commands work all the same

    def _name_of(self, place: str) -> str:
        return next((name for name, known in self._ids.items() if known == place), place)

    def healthy(self) -> bool:
        """Whether the socket is up."""
        socket = self._socket
        if socket is None or socket.closed or socket.stale or socket.current_session is None:
            return False
        return not socket.current_session.closed
