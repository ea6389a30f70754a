"""Slack as a chat: cards, replies in their threads, edits, and people's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.models.blocks import ImageBlock
from slack_sdk.models.blocks.basic_components import SlackFile
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.chats.chart import drawn
from bot.chats.slack.blocks import rendered
from bot.chats.slack.clicks import Clicks
from bot.chats.slack.connection import Connection
from bot.chats.slack.conversation import Conversation
from bot.chats.slack.ears import Ears
from bot.chats.slack.errors import REFUSED_CONTENT, TRANSPORT_FAULTS, understood
from bot.chats.slack.home import Home
from bot.chats.slack.places import Places
from bot.chats.slack.unfurl import Unfurl
from bot.model import Chart, Page
from bot.ports import Answerer, Cause, ChatError, Linked
from bot.report.text import one_line

_T = TypeVar("_T")
_U = TypeVar("_U")

_EVENT_TYPE = "gracewatch_delivery"
_PAGE = 200
_MOST_PAGES = 10
_LONGEST_PAUSE = 300.0

log = structlog.get_logger(__name__)


class Slack:
    """A workspace.  Remote ids are message timestamps, which name a message within its channel.

    ``channels`` are the channels of the settings, as ``#name`` or id: asks from them carry the name used there.
    Deliveries are never repeated by the client, since a post that timed out may have arrived: the outbox looks with
    ``find`` before it tries again.
    """

    name = "slack"
    pace = timedelta(seconds=1)  # https://docs.slack.dev/apis/web-api/rate-limits: short bursts are tolerated
    private = True

    def __init__(
        self,
        bot_token: str,
        connection: Connection,
        *,
        channels: Sequence[str] = (),
        api_url: str = "https://slack.com/api/",
    ) -> None:
        self._client = AsyncWebClient(token=bot_token, base_url=api_url, retry_handlers=[])
        # A person waits for these, and an answer that is said twice does no harm.
        patient = AsyncRateLimitErrorRetryHandler(max_retry_count=3)
        self._answering = AsyncWebClient(token=bot_token, base_url=api_url, retry_handlers=[patient])
        self._connection = connection
        self._channels = tuple(channels)
        self._places = Places(self._client)

    # -------------------------------------------------------------------------------------------- speaking

    async def post(self, channel: str, page: Page, *, thread: str, delivery: str, broadcast: bool = False) -> str:
        """Method chat.postMessage, with the delivery's key in the message's metadata.  Raises ChatError."""
        try:
            place = await self._places.id(channel)
            said = await self._post(place, page, thread, delivery, broadcast=broadcast)
            if thread and said["message"].get("thread_ts") != thread:
                # Slack posts a reply to a deleted card into the channel, without a word.
                await self._client.chat_delete(channel=place, ts=str(said["ts"]))
                raise ChatError(f"the card of this thread was deleted in {channel}", cause=Cause.GONE)
        except TRANSPORT_FAULTS as fault:
            raise self._refused(fault, channel) from fault
        return str(said["ts"])

    def _refused(self, fault: Exception, channel: str) -> ChatError:
        reason = understood(fault, channel)
        if reason.cause is Cause.CHANNEL:
            self._places.forget(channel)  # another channel may have its name by the next time
        return reason

    async def _post(self, place: str, page: Page, thread: str, delivery: str, *, broadcast: bool) -> Any:
        shown = rendered(page)
        words: dict[str, Any] = {
            "channel": place,
            "text": shown.text,
            "thread_ts": thread or None,
            "reply_broadcast": True if thread and broadcast else None,
            "metadata": {"event_type": _EVENT_TYPE, "event_payload": {"delivery": delivery}},
            "unfurl_links": False,
            "unfurl_media": False,
            "parse": "none",
            "link_names": False,
        }
        # Rather without its picture than not at all, and words alone are better than nothing.
        ways: list[dict[str, Any]] = [{"blocks": shown.blocks}, {}]
        if page.chart and (picture := await self._picture(page.chart)):
            ways.insert(0, {"blocks": (*shown.blocks, picture)})
        for way in ways[:-1]:
            try:
                return await self._client.chat_postMessage(**words, **way)
            except SlackApiError as fault:
                if fault.response.get("error") not in REFUSED_CONTENT:
                    raise
                log.warning("slack.blocks_refused", error=fault.response.get("error"), delivery=delivery)
        return await self._client.chat_postMessage(**words)

    async def _picture(self, chart: Chart) -> dict[str, Any] | None:
        """Upload a chart, unseen until a message shows it; None when that fails.  It is said in words, too."""
        try:
            said = await self._client.files_upload_v2(content=drawn(chart), filename="chart.png", title=chart.title)
            return ImageBlock(
                slack_file=SlackFile(id=said["file"]["id"]), alt_text=one_line(chart.title, 200)
            ).to_dict()
        except TRANSPORT_FAULTS as fault:
            log.warning("slack.no_picture", reason=str(understood(fault, "a picture")))
            return None

    async def edit(self, channel: str, remote_id: str, page: Page) -> None:
        """Method chat.update.  Raises ChatError."""
        shown = rendered(page)
        try:
            place = await self._places.id(channel)
            words: dict[str, Any] = {"channel": place, "ts": remote_id, "text": shown.text}
            quiet: dict[str, Any] = {"parse": "none", "link_names": False}
            try:
                await self._client.chat_update(**words, **quiet, blocks=shown.blocks)
            except SlackApiError as fault:
                if fault.response.get("error") not in REFUSED_CONTENT:
                    raise
                await self._client.chat_update(**words, **quiet, blocks=[])
        except TRANSPORT_FAULTS as fault:
            raise self._refused(fault, channel) from fault

    async def find(self, channel: str, delivery: str, *, thread: str) -> str | None:
        """Look through the channel's newest messages, or the thread's, for the delivery's key.  Raises ChatError."""
        try:
            place = await self._places.id(channel)
            async for message in self._messages(place, thread):
                metadata = message.get("metadata") or {}
                payload = metadata.get("event_payload") or {}
                if metadata.get("event_type") == _EVENT_TYPE and payload.get("delivery") == delivery:
                    return str(message["ts"])
        except TRANSPORT_FAULTS as fault:
            reason = self._refused(fault, channel)
            if thread and reason.cause is Cause.GONE:
                return None  # no thread, so nothing in it
            raise reason from fault
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

    async def members(self, group: str) -> frozenset[str]:
        """The people of a user group.  Raises ChatError."""
        return await self._places.members(group)

    # ------------------------------------------------------------------------------------------- listening

    async def listen(self, answer: Answerer, linked: Linked | None = None) -> None:
        """Take words and clicks over a connection that is built anew when it breaks, until cancelled.

        Raises ChatError when Slack refuses the tokens, or when there is no port to listen on.
        """
        asked: set[asyncio.Future[Any]] = set()

        def noted(what: Callable[[_T], Awaitable[_U]]) -> Callable[[_T], Awaitable[_U]]:
            async def run(said: _T) -> _U:
                task = asyncio.ensure_future(what(said))
                asked.add(task)
                task.add_done_callback(asked.discard)
                return await task

            return run

        try:
            await self._sessions(noted(answer), noted(linked) if linked else None)
        finally:
            # Bolt answers in tasks of its own, which would go on when nobody listens any more.
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _sessions(self, answer: Answerer, linked: Linked | None) -> None:
        pause = 1.0
        while True:
            try:
                await self._session(answer, linked)
                pause = 1.0
            except (*TRANSPORT_FAULTS, ChatError) as fault:
                reason = fault if isinstance(fault, ChatError) else understood(fault, self._connection.name)
                if reason.cause is Cause.ACCESS:
                    raise reason from fault
                wait = max(pause, reason.retry_after.total_seconds() if reason.retry_after else 0)
                log.warning("slack.not_connected", reason=str(reason), next_try_in=wait)
                await asyncio.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def trial(self) -> str:
        """Try the tokens and the channels, say nothing, and return who the bot is.  Raises ChatError with the cure."""
        try:
            me = await self._client.auth_test()
            await self._connection.trial(self._client)
            for channel in self._channels:
                await self._places.id(channel)
        except TRANSPORT_FAULTS as fault:
            raise understood(fault, "the trial") from fault
        return f"{me.get('user')} in {me.get('team')}"

    async def _session(self, answer: Answerer, linked: Linked | None) -> None:
        """One connection, until it is broken for good.  Raises what the Slack client raises."""
        await self._find_channels()
        me = await self._client.auth_test()
        app = self._app(me)
        talk = Conversation(self._answering, answer, self._places.name_of)
        home = Home(self._answering, talk)
        Ears(talk, str(me["user_id"])).attach(app)
        Clicks(self._answering, talk, home).attach(app)
        home.attach(app)
        if linked:
            Unfurl(self._answering, linked).attach(app)
        await self._connection.serve(app)

    def _app(self, me: AsyncSlackResponse) -> AsyncApp:
        """A Bolt app that knows who it is: it asks Slack nothing before it says its yes to an event."""
        known = AuthorizeResult(
            enterprise_id=me.get("enterprise_id"),
            team_id=me.get("team_id"),
            bot_id=me.get("bot_id"),
            bot_user_id=me.get("user_id"),
            bot_token=self._client.token,
        )

        async def authorized(**_: Any) -> AuthorizeResult:
            return known

        client = AsyncWebClient(base_url=self._client.base_url, retry_handlers=[])
        return AsyncApp(client=client, authorize=authorized, signing_secret=self._connection.signing_secret)

    async def _find_channels(self) -> None:
        for channel in self._channels:
            try:
                await self._places.id(channel)
            except ChatError as fault:
                log.warning("slack.no_channel", reason=str(fault))  # commands work all the same

    def healthy(self) -> bool:
        """Whether people can be heard."""
        return self._connection.healthy()
