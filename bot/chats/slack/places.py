"""Where in Slack: the ids behind the names of channels, people's private talks, and the members of user groups."""

from __future__ import annotations

import re

from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.errors import TRANSPORT_FAULTS, understood
from bot.ports import Cause, ChatError

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]+")
_PERSON = re.compile(r"@([UW][A-Z0-9]+)")


class Places:
    """Looks each name up once, until it is forgotten."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._ids: dict[str, str] = {}

    async def id(self, channel: str) -> str:
        """The id of ``#name`` or of the talk with ``@U024BE7LH``.  Raises ChatError when there is none."""
        if _CHANNEL_ID.fullmatch(channel):
            return channel
        if channel not in self._ids:
            person = _PERSON.fullmatch(channel)
            self._ids[channel] = await (self._talk_with(person[1]) if person else self._looked_up(channel))
        return self._ids[channel]

    def forget(self, channel: str) -> None:
        self._ids.pop(channel, None)

    def name_of(self, place: str) -> str:
        """The name that was looked up, the id itself when none was."""
        return next((name for name, known in self._ids.items() if known == place), place)

    async def _talk_with(self, person: str) -> str:
        """Method conversations.open."""
        answer = await self._client.conversations_open(users=person)
        return str(answer["channel"]["id"])

    async def _looked_up(self, channel: str) -> str:
        """Method conversations.list."""
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
                raise ChatError(f"Slack has no channel {channel} that the bot can see; {cure}", cause=Cause.CHANNEL)

    async def members(self, group: str) -> frozenset[str]:
        """Method usergroups.users.list.  Raises ChatError."""
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except TRANSPORT_FAULTS as fault:
            raise understood(fault, f"the user group {group}") from fault
        return frozenset(str(user) for user in answer.get("users") or ())
