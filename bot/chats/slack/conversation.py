"""From one utterance to the answer that is shown: what typed words, clicks, shortcuts and App Home have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.blocks import rendered
from bot.chats.slack.errors import TRANSPORT_FAULTS, understood
from bot.model import Ask, Page, Reply
from bot.ports import Answerer
from bot.report.text import harmless

log = structlog.get_logger(__name__)

Say = Callable[[Reply], Awaitable[Any]]


class Conversation:
    """Answers people in one workspace.  ``names`` turns a channel id into the name the settings use."""

    def __init__(self, client: AsyncWebClient, answer: Answerer, names: Callable[[str], str]) -> None:
        self._client = client
        self._answer = answer
        self._names = names
        self._under_way: set[tuple[str, str, str]] = set()

    async def hear(self, ask: Ask, say: Say) -> None:
        """Have an ask answered, and say what comes of it.  ``ask.channel`` is Slack's id."""
        reply = await self.reply(ask)
        if reply is None:
            return
        try:
            await say(reply)
        except TRANSPORT_FAULTS as fault:
            log.warning("reply.failed", reason=str(understood(fault, ask.channel)))

    async def reply(self, ask: Ask) -> Reply | None:
        """The answer; a fault of ours is one, too.  None as well for a second click while the first is answered."""
        same = (ask.who, ask.place or ask.channel, ask.words)
        if same in self._under_way:
            return None
        self._under_way.add(same)
        try:
            return await self._answer(replace(ask, channel=self._channel(ask)))
        except Exception:
            log.exception("asked.failed", words=harmless(ask.words[:200]))
            return Reply(Page("That went wrong here; the reason is in the log of gracewatch."))
        finally:
            self._under_way.discard(same)

    def _channel(self, ask: Ask) -> str:
        """How we call a channel: by its name in the settings, a private talk by the person, App Home not at all."""
        if ask.channel.startswith("D"):
            return f"@{ask.who}"
        return self._names(ask.channel) if ask.channel else ""

    def there(self, channel: str, user: str, thread: str, beneath: str = "") -> Say:
        """Says an answer in a thread: to this person alone, or to all, then at least ``beneath`` a message."""

        async def say(reply: Reply) -> None:
            shown = rendered(reply.page)
            words: dict[str, Any] = {"channel": channel, "text": shown.text, "blocks": shown.blocks}
            if reply.private:
                await self._client.chat_postEphemeral(**words, user=user, thread_ts=thread or None)
            else:
                quiet: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}
                await self._client.chat_postMessage(**words, **quiet, thread_ts=thread or beneath or None)

        return say
