"""People's words in Slack: the /rcu command, mentions, replies in threads, and "Check this for RCU" on a message."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond

from bot.chats.slack.blocks import rendered
from bot.chats.slack.conversation import Conversation, Say
from bot.chats.slack.text import plain
from bot.model import Ask, Reply

COMMAND = "/rcu"
SHORTCUT = "check_for_rcu"
_SPOKEN = {None, "thread_broadcast"}  # other subtypes are edits, joins and the like
# An address with a Message-ID in it, or a Message-ID in brackets or after its label.
_MAIL = re.compile(r"https?://[^\s<>]{1,400}@[^\s<>]{1,400}|<[^\s<>@]{1,400}@[^\s<>@]{1,200}>")

log = structlog.get_logger(__name__)


class Ears:
    """Registers with a Bolt app.

    Every listener acknowledges first and answers afterwards: Slack wants its yes within 3 seconds and repeats what it
    did not get one for.
    """

    def __init__(self, talk: Conversation, bot_user: str) -> None:
        self._talk = talk
        self._mention = re.compile(rf"<@{re.escape(bot_user)}(\|[^<>]*)?>")

    def attach(self, app: AsyncApp) -> None:
        app.command(COMMAND)(self.command)
        app.shortcut({"type": "message_action", "callback_id": SHORTCUT})(self.shortcut)
        app.event("app_mention")(self.mention)
        app.event("message")(self.message)

    async def command(self, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        """``/rcu …``: the answer goes to the command's response address, which works in every channel."""
        await ack()
        event = f"command {body.get('trigger_id', '')}"
        ask = Ask("slack", body["channel_id"], body["user_id"], plain(body.get("text") or "").strip(), event=event)
        await self._talk.hear(ask, answering(respond))

    async def shortcut(self, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        """ "Check this for RCU": the mail that a message links to, or the series in whose thread it stands."""
        await ack()
        message = body.get("message") or {}
        found = _MAIL.search(plain(message.get("text") or ""))
        ask = Ask(
            "slack",
            body["channel"]["id"],
            body["user"]["id"],
            f"check {found[0]}" if found else "check",
            place=str(message.get("thread_ts") or message.get("ts") or ""),
            event=f"shortcut {body.get('trigger_id', '')}",
        )
        await self._talk.hear(ask, answering(respond))

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
        words = plain(self._mention.sub(" ", event.get("text", ""))).strip()
        # A message's place and time name it in every event about it, so a repeat under another event id is one, too.
        name = f"message {channel} {event['ts']}"
        ask = Ask("slack", channel, user, words, place=thread, event=name, addressed=addressed)
        await self._talk.hear(ask, self._talk.there(channel, user, thread, beneath=event["ts"]))


def answering(respond: AsyncRespond) -> Say:
    """Says an answer at the response address that came with a command, a click or a shortcut."""

    async def say(reply: Reply) -> None:
        shown = rendered(reply.page)
        answer = await respond(
            text=shown.text,
            blocks=shown.blocks,
            response_type="ephemeral" if reply.private else "in_channel",
            replace_original=False,
            unfurl_links=False,
            unfurl_media=False,
        )
        if answer.status_code != HTTPStatus.OK:
            log.warning("reply.failed", reason=f"the response address says HTTP {answer.status_code}")

    return say
