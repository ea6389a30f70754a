"""Matrix as a chat: a room for a channel, threads below cards, edits, and people's words.

Matrix has neither buttons nor answers that one person alone can see: actions are shown as lines to type, and an answer
stands in the thread of who asked.  Rooms that are encrypted are not read.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import structlog

from bot.chats.matrix.api import Api, path
from bot.chats.matrix.content import content
from bot.model import Ask, Page, Reply
from bot.ports import Answerer, Cause, ChatError, Linked
from bot.report.text import harmless

_DELIVERY = "org.gracewatch.delivery"  # where a message carries the key of its delivery
_CALL = re.compile(r"!rcu\b\s*", re.IGNORECASE)
_ADDRESS = re.compile(r"https://[^\s<>]{1,400}@[^\s<>]{1,400}")
_PAGE, _MOST_PAGES = "100", 20
_WAITING_MS = 20_000
_LONGEST_PAUSE = 300.0

log = structlog.get_logger(__name__)


class Matrix:
    """A homeserver.  Remote ids are event ids; a channel is a room's alias (``#kvm:example.org``, on the bot's own
    server also ``#kvm``) or id (``!…``).

    A page is sent under a transaction id that its delivery determines, so the server itself takes a repeat for the
    first; ``find`` still looks, since servers forget transactions after a while.
    """

    name = "matrix"
    pace = timedelta(seconds=1)
    private = False  # it stays in its rooms

    def __init__(self, homeserver: str, token: str, *, channels: Sequence[str] = ()) -> None:
        self._api = Api(homeserver, token)
        self._channels = tuple(channels)
        self._rooms: dict[str, str] = {}
        self._me = ""
        self._synced = False

    # -------------------------------------------------------------------------------------------- speaking

    async def post(self, channel: str, page: Page, *, thread: str, delivery: str, broadcast: bool = False) -> str:  # noqa: ARG002  threads are seen in the room anyway
        """PUT rooms/{room}/send.  Raises ChatError."""
        room = await self._room(channel)
        said = {**content(page), _DELIVERY: delivery}
        if thread:
            await self._must_stand(room, thread)
            said["m.relates_to"] = _below(thread)
        return await self._send(room, said, delivery)

    async def edit(self, channel: str, remote_id: str, page: Page) -> None:
        """An m.replace of what was posted.  Raises ChatError."""
        room = await self._room(channel)
        await self._must_stand(room, remote_id)
        new = content(page)
        said = {
            **new,
            "body": f"* {new['body']}",
            "m.new_content": new,
            "m.relates_to": {"rel_type": "m.replace", "event_id": remote_id},
        }
        await self._send(room, said, str(uuid.uuid4()))  # the same edit twice shows the same

    async def _send(self, room: str, said: dict[str, Any], name: str) -> str:
        transaction = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()
        answer = await self._api.ask("PUT", path("rooms", room, "send", "m.room.message", transaction), said)
        return str(answer["event_id"])

    async def _must_stand(self, room: str, event: str) -> None:
        """Raises ChatError when somebody removed this message: the server would take a reply or an edit anyway."""
        try:
            found = await self._api.ask("GET", path("rooms", room, "event", event))
        except ChatError as fault:
            if fault.cause is Cause.CHANNEL:
                raise ChatError("the message was removed in Matrix", cause=Cause.GONE) from fault
            raise
        if not found.get("content"):
            raise ChatError("the message was removed in Matrix", cause=Cause.GONE)

    async def find(self, channel: str, delivery: str, *, thread: str) -> str | None:
        """Look through the room's newest messages, or the thread's, for the delivery's key.  Raises ChatError."""
        room = await self._room(channel)
        async for event in self._messages(room, thread):
            if event.get("content", {}).get(_DELIVERY) == delivery:
                return str(event["event_id"])
        return None

    async def _messages(self, room: str, thread: str) -> AsyncIterator[dict[str, Any]]:
        asked = {"dir": "b", "limit": _PAGE}
        where = path("rooms", room, "messages")
        if thread:
            where = path("rooms", room, "relations", thread, "m.thread").replace("/v3/", "/v1/")
        for _ in range(_MOST_PAGES):
            answer = await self._api.ask("GET", where, query=asked)
            for event in answer.get("chunk", ()):
                yield event
            after = answer.get("next_batch" if thread else "end", "")
            if not after:
                return
            asked["from"] = str(after)

    async def members(self, group: str) -> frozenset[str]:  # noqa: ARG002  the port's
        """Matrix has no groups of people; maintainers are named one by one."""
        return frozenset()

    async def _room(self, channel: str) -> str:
        """The id of a room, which the bot joins where it may.  Raises ChatError."""
        if channel not in self._rooms:
            if channel.startswith("@"):
                self._rooms[channel] = await self._private(channel.removeprefix("@"))
            else:
                alias = channel if ":" in channel else f"{channel}:{(await self._who()).partition(':')[2]}"
                self._rooms[channel] = str((await self._api.ask("POST", path("join", alias), {}))["room_id"])
        return self._rooms[channel]

    async def _who(self) -> str:
        """The bot's own id."""
        if not self._me:
            self._me = str((await self._api.ask("GET", path("account", "whoami")))["user_id"])
        return self._me

    async def _private(self, person: str) -> str:
        """The room for a private talk with a person, made once: the account's data remember it (m.direct)."""
        where = path("user", await self._who(), "account_data", "m.direct")
        try:
            known = await self._api.ask("GET", where)
        except ChatError as fault:
            if fault.cause is not Cause.CHANNEL:
                raise
            known = {}  # nothing was remembered so far
        if rooms := known.get(person):
            return str(rooms[0])
        asked = {"preset": "trusted_private_chat", "invite": [person], "is_direct": True}
        room = str((await self._api.ask("POST", path("createRoom"), asked))["room_id"])
        await self._api.ask("PUT", where, {**known, person: [room]})
        return room

    # ------------------------------------------------------------------------------------------- listening

    async def listen(self, answer: Answerer, linked: Linked | None = None) -> None:
        """Take words by asking the server for what is new, until cancelled.

        Raises ChatError when the server refuses the token: trying again would not help.
        """
        pause, since = 1.0, ""
        answering: set[asyncio.Task[None]] = set()
        try:
            while True:
                try:
                    since, events = await self._news(since)
                    self._synced, pause = True, 1.0
                except ChatError as fault:
                    self._synced = False
                    if fault.cause is Cause.ACCESS:
                        raise
                    log.warning("matrix.not_connected", reason=str(fault), next_try_in=pause)
                    await asyncio.sleep(max(pause, fault.retry_after.total_seconds() if fault.retry_after else 0))
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                for room, event in events:
                    task = asyncio.create_task(self._heard(room, event, answer, linked))
                    answering.add(task)
                    task.add_done_callback(answering.discard)
        finally:
            self._synced = False
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)

    async def trial(self) -> str:
        """Try the token and the rooms, say nothing, and return who the bot is.  Raises ChatError with the cure."""
        me = await self._who()
        for channel in self._channels:
            await self._room(channel)
        return me

    async def _news(self, since: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
        """GET sync: what was said since; at the beginning nothing, what was said before we came is not answered."""
        if not since:
            await self._who()
            for channel in self._channels:
                await self._joined(channel)
        asked = {"timeout": str(_WAITING_MS), "since": since} if since else {"timeout": "0"}
        answer = await self._api.ask("GET", path("sync"), query=asked)
        rooms = answer.get("rooms", {}).get("join", {}) if since else {}
        events = [(room, event) for room, held in rooms.items() for event in held.get("timeline", {}).get("events", ())]
        return str(answer["next_batch"]), events

    async def _joined(self, channel: str) -> None:
        try:
            await self._room(channel)
        except ChatError as fault:
            if fault.cause is Cause.ACCESS:
                raise
            log.warning("matrix.no_room", room=channel, reason=str(fault))

    async def _heard(self, room: str, event: dict[str, Any], answer: Answerer, linked: Linked | None) -> None:
        try:
            ask = self._ask(room, event)
            reply = await self._reply(ask, answer, linked) if ask else None
            if ask and reply:
                said = {**content(reply.page), "m.relates_to": _below(ask.place or ask.event)}
                said["m.mentions"] = {"user_ids": [ask.who]}
                await self._send(room, said, f"answer to {ask.event}")
        except ChatError as fault:
            log.warning("reply.failed", reason=str(fault))
        except Exception:
            log.exception("asked.failed", message=harmless(str(event.get("event_id"))[:200]))

    async def _reply(self, ask: Ask, answer: Answerer, linked: Linked | None) -> Reply | None:
        if not ask.addressed and linked and (pasted := _ADDRESS.search(ask.words)):
            page = await linked(pasted[0])
            if page:
                return Reply(page)
        return await answer(ask) if ask.addressed or ask.place else None

    def _ask(self, room: str, event: dict[str, Any]) -> Ask | None:
        """What a person said, None when it is no person's words.  Notices are what bots say, and are not answered."""
        said = _held(event.get("content"))
        words, sender, about = said.get("body"), event.get("sender"), _held(said.get("m.relates_to"))
        if event.get("type") != "m.room.message" or said.get("msgtype") != "m.text" or sender == self._me:
            return None
        if not isinstance(words, str) or about.get("rel_type") == "m.replace":
            return None
        called = _CALL.match(words)
        mentioned = self._me in (_held(said.get("m.mentions")).get("user_ids") or ())
        words = words[called.end() :] if called else words.replace(self._me, " ").lstrip(" :,")
        return Ask(
            chat=self.name,
            channel=next((name for name, known in self._rooms.items() if known == room), room),
            who=str(sender),
            words=words.strip(),
            place=str(about.get("event_id", "")) if about.get("rel_type") == "m.thread" else "",
            event=str(event["event_id"]),
            addressed=bool(called or mentioned),
        )

    def healthy(self) -> bool:
        """Whether the server answered when it was last asked for what is new."""
        return self._synced


def _held(value: object) -> dict[str, Any]:
    """What another server calls an object is one, or nothing."""
    return value if isinstance(value, dict) else {}


def _below(thread: str) -> dict[str, Any]:
    return {
        "rel_type": "m.thread",
        "event_id": thread,
        "is_falling_back": True,  # clients without threads show it as a reply
        "m.in_reply_to": {"event_id": thread},
    }
