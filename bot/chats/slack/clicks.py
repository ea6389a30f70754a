"""People's clicks in Slack: a button says its words, at once or after its question was answered in a form."""

from __future__ import annotations

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.models.blocks import SectionBlock
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.blocks import rendered
from bot.chats.slack.buttons import ASK, FORM, LINK, SAY, Click, answered, asked_for, form
from bot.chats.slack.conversation import Conversation
from bot.chats.slack.errors import TRANSPORT_FAULTS, understood
from bot.chats.slack.home import Home
from bot.model import Ask, Reply

log = structlog.get_logger(__name__)


class Clicks:
    """Registers with a Bolt app.  Every listener acknowledges first: Slack wants its yes within 3 seconds."""

    def __init__(self, client: AsyncWebClient, talk: Conversation, home: Home) -> None:
        self._client = client
        self._talk = talk
        self._home = home

    def attach(self, app: AsyncApp) -> None:
        app.action(SAY)(self.said)
        app.action(ASK)(self.asked)
        app.action(LINK)(self.followed)
        app.view(FORM)(self.answered)

    async def followed(self, ack: AsyncAck) -> None:
        """A button that only leads somewhere wants its yes like any other."""
        await ack()

    async def said(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        click, trigger = _click(body, action.get("value", "")), str(body.get("trigger_id", ""))
        if click.channel:
            await self._hear(click, body, f"click {trigger}")
            return
        # App Home is no channel: the answer comes in a window, which must be opened before the trigger grows old.
        window = str((body.get("view") or {}).get("id") or "") if _in_window(body) else ""
        try:
            if not window:
                opened = await self._client.views_open(trigger_id=trigger, view=_window("One moment …"))
                window = str(opened["view"]["id"])
        except TRANSPORT_FAULTS as fault:
            log.warning("window.failed", reason=str(understood(fault, "App Home")))
            return
        await self._show(click, body, f"click {trigger}", window)

    async def asked(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """A button whose words want an answer first (methods views.open, and views.push on top of a window)."""
        await ack()
        words, question = asked_for(action.get("value", ""))
        opening = self._client.views_push if _in_window(body) else self._client.views_open
        try:
            await opening(trigger_id=body["trigger_id"], view=form(_click(body, words), question))
        except TRANSPORT_FAULTS as fault:
            log.warning("form.failed", reason=str(understood(fault, "a form")))

    async def answered(self, ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        """The form came back."""
        answer = view["state"]["values"][FORM][FORM].get("value") or ""
        click = answered(view["private_metadata"], answer)
        if click.channel:
            await ack()
            await self._hear(click, body, f"form {view['id']}")
            return
        await ack(response_action="update", view=_window("One moment …"))
        await self._show(click, body, f"form {view['id']}", str(view["id"]))

    async def _hear(self, click: Click, body: dict[str, Any], event: str) -> None:
        user = str(body["user"]["id"])
        ask = Ask("slack", click.channel, user, click.words, place=click.thread, event=event)
        await self._talk.hear(ask, self._talk.there(click.channel, user, click.thread))

    async def _show(self, click: Click, body: dict[str, Any], event: str, window: str) -> None:
        """Answer in a window (method views.update), and show App Home as it is now."""
        user = str(body["user"]["id"])

        async def say(reply: Reply) -> None:
            await self._client.views_update(view_id=window, view=_window(blocks=rendered(reply.page).blocks))

        await self._talk.hear(Ask("slack", "", user, click.words, event=event), say)
        await self._home.show(user)


def _click(body: dict[str, Any], words: str) -> Click:
    """Where a button was clicked.  The words of a card belong to its own thread."""
    holder = body.get("container") or {}
    channel = str((body.get("channel") or {}).get("id") or holder.get("channel_id") or "")
    thread = holder.get("thread_ts") or (body.get("message") or {}).get("thread_ts") or holder.get("message_ts") or ""
    return Click(words, channel, str(thread))


def _in_window(body: dict[str, Any]) -> bool:
    return (body.get("view") or {}).get("type") == "modal"


def _window(text: str = "", blocks: tuple[dict[str, Any], ...] = ()) -> View:
    shown = blocks or [SectionBlock(text=text)]
    return View(type="modal", title="gracewatch", close="Close", blocks=shown)
