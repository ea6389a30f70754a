"""App Home: the page that a person sees under the bot's own name, made anew each time it is opened."""

from __future__ import annotations

from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.blocks import rendered
from bot.chats.slack.conversation import Conversation
from bot.chats.slack.errors import TRANSPORT_FAULTS, understood
from bot.model import Ask

WORDS = "home"  # what opening it asks

log = structlog.get_logger(__name__)


class Home:
    """Registers with a Bolt app."""

    def __init__(self, client: AsyncWebClient, talk: Conversation) -> None:
        self._client = client
        self._talk = talk

    def attach(self, app: AsyncApp) -> None:
        app.event("app_home_opened")(self.opened)

    async def opened(self, event: dict[str, Any]) -> None:
        if event.get("tab", "home") == "home":
            await self.show(str(event["user"]))

    async def show(self, user: str) -> None:
        """Method views.publish.  Opening it twice shows the same, so the event needs no name."""
        reply = await self._talk.reply(Ask("slack", "", user, WORDS))
        if reply is None:
            return
        try:
            view = View(type="home", blocks=rendered(reply.page).blocks)
            await self._client.views_publish(user_id=user, view=view)
        except TRANSPORT_FAULTS as fault:
            log.warning("home.failed", reason=str(understood(fault, "App Home")))
