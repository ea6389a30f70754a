"""Addresses of mail that people paste: what is known of the series is shown below them, and nothing is fetched."""

from __future__ import annotations

from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.blocks import rendered
from bot.chats.slack.errors import TRANSPORT_FAULTS, understood
from bot.ports import Linked

_MOST = 5  # of one message
_COMPOSER = "COMPOSER"  # in place of the channel while a message is still being written

log = structlog.get_logger(__name__)


class Unfurl:
    """Registers with a Bolt app.  Slack tells of links to the domains of the app manifest only."""

    def __init__(self, client: AsyncWebClient, linked: Linked) -> None:
        self._client = client
        self._linked = linked

    def attach(self, app: AsyncApp) -> None:
        app.event("link_shared")(self.shared)

    async def shared(self, event: dict[str, Any]) -> None:
        """Method chat.unfurl.  The same event again shows the same, so it needs no name."""
        addresses = dict.fromkeys(str(link["url"]) for link in event.get("links") or ())
        shown: dict[str, Any] = {}
        for address in list(addresses)[:_MOST]:
            page = await self._linked(address)
            if page is not None:
                shown[address] = {"blocks": rendered(page).blocks}
        if not shown:
            return
        written = event.get("channel") != _COMPOSER
        place = {"channel": event["channel"], "ts": event["message_ts"]} if written else {
            "unfurl_id": event["unfurl_id"], "source": event["source"]
        }  # fmt: skip
        try:
            await self._client.chat_unfurl(**place, unfurls=shown)
        except TRANSPORT_FAULTS as fault:
            log.warning("unfurl.failed", reason=str(understood(fault, str(event["channel"]))))
