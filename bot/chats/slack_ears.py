"""People's words in Slack: the /rcu command, mentions and replies in threads become Asks, and the answers go back."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack_blocks import rendered
from bot.chats.slack_errors import TRANSPORT_FAULTS, understood
from bot.chats.slack_text import plain
from bot.model import Ask, Page, Reply
from bot.ports import Answerer
from bot.report.text import harmless

COMMAND = "/rcu"
_SPOKEN = {None, "thread_broadcast"}  # other subtypes are edits, joins and the like

log = structlog.get_logger(__name__)

Say = Callable[[Reply], Awaitable[Any]]


class Ears:
    """Registers with a Bolt app.

    Every listener acknowledges first and answers afterwards: Slack wants its yes within 3 seconds and repeats what it
    did not get one for.  ``names`` turns a channel id into the name the settings use.
    """

    def __init__(self, client: AsyncWebClient, bot_user: str, answer: Answerer, names: Callable[[str], str]) -> None:
        self._client = client
        self._mention = re.compile(rf"<@{re.escape(bot_user)}(\|[^<>]*)?>")
        self._answer = answer
        self._names = names

    def attach(self, app: AsyncApp) -> None:
        app.command(COMMAND)(self.command)
        app.event("app_mention")(self.mention)
        app.event("message")(self.message)

    async def command(self, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        """``/rcu …``: the answer goes to the command's response address."""
        await ack()

        async def say(reply: Reply) -> None:
            shown = rendered(reply.page)
            answer = await respond(
                text=shown.text,
                blocks=shown.blocks,
                response_type="ephemeral" if reply.private else "in_channel",
                unfurl_links=False,
                unfurl_media=False,
            )
            if answer.status_code != HTTPStatus.OK:
                log.warning("reply.failed", reason=f"the command's response address says HTTP {answer.status_code}")

        trigger = str(body.get("trigger_id", ""))
        await self._hear(body["channel_id"], body["user_id"], body.get("text", ""), say, event=f"command {trigger}")

    async def mention(self, event: dict[str, Any]) -> None:
        """The bot was spoken to by name."""
        if event.get("bot_id") or not event.get("user"):
            return
        await self._heard(event, addressed=True)

    async def message(self, event: dict[str, Any]) -> None:
        """A reply in a thread.  One that names the bot comes as a mention, too, and is left to that."""
        spoken = event.get("subtype") in _SPOKEN and event.get("user") and not event.get("bot_id")
        if spoken and event.get("thread_ts") and not self._mention.search(event.get("text", "")):
            await self._heard(event, addressed=False)

    async def _heard(self, event: dict[str, Any], *, addressed: bool) -> None:
        channel, user, thread = event["channel"], event["user"], event.get("thread_ts", "")

        async def say(reply: Reply) -> None:
            shown = rendered(reply.page)
            if reply.private:
                await self._client.chat_postEphemeral(
                    channel=channel, user=user, text=shown.text, blocks=shown.blocks, thread_ts=thread or None
                )
            else:
                await self._client.chat_postMessage(
                    channel=channel,
                    text=shown.text,
                    blocks=shown.blocks,
                    thread_ts=thread or event["ts"],
                    unfurl_links=False,
                    unfurl_media=False,
                )

        words = self._mention.sub(" ", event.get("text", ""))
        # A message's place and time name it in every event about it, so a repeat under another event id is one, too.
        name = f"message {channel} {event['ts']}"
        await self._hear(channel, user, words, say, event=name, place=thread, addressed=addressed)

    async def _hear(
        self, channel: str, user: str, words: str, say: Say, *, event: str, place: str = "", addressed: bool = True
    ) -> None:
        ask = Ask(
            chat="slack",
            channel=self._names(channel),
            who=user,
            words=plain(words).strip(),
            place=place,
            event=event,
            addressed=addressed,
        )
        try:
            reply = await self._answer(ask)
        except Exception:
            log.exception("asked.failed", words=harmless(ask.words[:200]))
            reply = Reply(Page("That went wrong here; the reason is in the log of gracewatch."))
        if reply is None:
            return
        try:
            await say(reply)
        except TRANSPORT_FAULTS as fault:
            log.warning("reply.failed", reason=str(understood(fault, ask.channel)))
