"""Slack as people and the outbox meet it, on a Slack server that is not ours.

card ──┬── reply          posted, edited, found again by the delivery that the message carries
       └── "explain"      a person's words in the thread, answered to that person
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.chats.slack import Slack
from bot.model import Ask, Code, Level, Page, Reply, Text
from bot.ports import Answerer, ChatError
from tests.chats.slack_server import (
    ALICE,
    APP_TOKEN,
    BOT_TOKEN,
    CHANNEL,
    CHANNEL_NAME,
    PATIENCE,
    SlackServer,
    slack_server,
)
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module

CARD = Page("KVM: walk devices", "https://lore.kernel.org/r/a@example.org", Level.ERROR, (Text("v1: 1 new"),))
WARNING = Page("list_del() on kvm.devices", parts=(Code("list_del(&dev->vm_node);"),))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SlackServer]:
    async with slack_server(tmp_path) as it:
        yield it


@pytest.fixture
def slack(server: SlackServer) -> Slack:
    return Slack(BOT_TOKEN, APP_TOKEN, channels=(CHANNEL_NAME,), api_url=server.api_url, ping_interval=0.2)


class Person:
    """Answers every ask with its words, and keeps the asks."""

    def __init__(self, *, private: bool = True) -> None:
        self.asks: list[Ask] = []
        self._private = private

    async def __call__(self, ask: Ask) -> Reply | None:
        self.asks.append(ask)
        return Reply(Page(f"you said {ask.words}"), self._private)


@asynccontextmanager
async def listening(slack: Slack, answer: Answerer) -> AsyncIterator[None]:
    ears = asyncio.create_task(slack.listen(answer))
    try:
        await until(slack.healthy)
        yield
    finally:
        ears.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ears


async def until(ready: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE):
        while not (found := ready()):
            await asyncio.sleep(0.02)
        return found


async def heard(server: SlackServer, words: str) -> dict[str, Any]:
    """The bot's message that holds these words, once it is there."""

    async def look() -> Any:
        return next((found for found in await server.bot_messages() if words in str(found.get("text"))), None)

    found: dict[str, Any] = await server.until(look)
    return found


def called(server: SlackServer, method: str) -> list[dict[str, Any]]:
    return [arguments for name, arguments in server.calls if name == method]


# ------------------------------------------------------------------------------------------------ speaking


async def test_a_card_and_its_reply_make_a_thread(server: SlackServer, slack: Slack) -> None:
    card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    reply = await slack.post(CHANNEL_NAME, WARNING, thread=card, delivery="r1")
    first, second = await server.bot_messages()
    assert (first["ts"], second["ts"], second["thread_ts"]) == (card, reply, card)
    assert second["blocks"][1]["text"]["text"] == "```\nlist_del(&amp;dev-&gt;vm_node);\n```"


async def test_links_unfold_into_nothing_and_names_ping_nobody(server: SlackServer, slack: Slack) -> None:
    await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    (sent,) = called(server, "chat.postMessage")
    assert [sent[name] for name in ("unfurl_links", "unfurl_media", "link_names", "parse")] == [
        False,
        False,
        False,
        "none",
    ]
    assert sent["metadata"] == {"event_type": "gracewatch_delivery", "event_payload": {"delivery": "k1"}}


async def test_an_edited_card_is_the_same_message(server: SlackServer, slack: Slack) -> None:
    card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    await slack.edit(CHANNEL_NAME, card, Page("KVM: walk devices", parts=(Text("v2: 1 fixed"),)))
    (message,) = await server.bot_messages()
    assert message["ts"] == card
    assert "v2: 1 fixed" in str(message["blocks"])


async def test_a_channel_may_be_named_by_its_id(server: SlackServer, slack: Slack) -> None:
    await slack.post("C02KVM", CARD, thread="", delivery="k1")
    assert len(await server.bot_messages("C02KVM")) == 1
    assert called(server, "conversations.list") == []


async def test_a_post_whose_answer_was_lost_is_found_and_not_repeated(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["lost"]
    with pytest.raises(ChatError) as caught:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert not caught.value.final
    (message,) = await server.bot_messages()
    assert await slack.find(CHANNEL_NAME, "k1", thread="") == message["ts"]


async def test_a_post_that_never_arrived_is_not_found(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["cut"]
    with pytest.raises(ChatError):
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert await slack.find(CHANNEL_NAME, "k1", thread="") is None


async def test_slack_may_ask_to_wait(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["429 7"]
    with pytest.raises(ChatError) as caught:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert caught.value.retry_after == timedelta(seconds=7)
    assert not caught.value.final
    assert await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")


@pytest.mark.parametrize("fault", ["500", "html", "internal_error"])
async def test_a_slack_in_trouble_is_tried_again_later(server: SlackServer, slack: Slack, fault: str) -> None:
    server.faults["chat.postMessage"] = [fault]
    with pytest.raises(ChatError) as caught:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert not caught.value.final


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        ("channel_not_found", "/invite @gracewatch"),
        ("not_in_channel", "/invite @gracewatch"),
        ("invalid_auth", "SLACK_BOT_TOKEN"),
        ("missing_scope", "slack-manifest.json"),
    ],
)
async def test_a_refusal_is_final_and_brings_its_cure(server: SlackServer, slack: Slack, error: str, cure: str) -> None:
    server.faults["chat.postMessage"] = [error]
    with pytest.raises(ChatError, match=cure) as caught:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert caught.value.final


async def test_a_channel_that_does_not_exist_is_named_with_the_cure(slack: Slack) -> None:
    with pytest.raises(ChatError, match=r"no channel #nowhere .* check its name") as caught:
        await slack.post("#nowhere", CARD, thread="", delivery="k1")
    assert caught.value.final


async def test_blocks_that_slack_refuses_are_posted_as_words(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["msg_blocks_too_long"]
    await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    (message,) = await server.bot_messages()
    assert "v1: 1 new" in message["text"]


async def test_a_reply_to_a_deleted_card_does_not_end_up_in_the_channel(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["orphan"]
    with pytest.raises(ChatError, match="was deleted") as caught:
        await slack.post(CHANNEL_NAME, WARNING, thread="1700000000.000001", delivery="r1")
    assert caught.value.final
    assert await server.bot_messages() == []


# ------------------------------------------------------------------------------------------------ listening


async def test_the_slash_command_is_acknowledged_and_answered_to_its_asker(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        await server.command("check &lt;a@b.org&gt;")
        message = await heard(server, "you said")
    assert message["ephemeral_to"] == ALICE
    (ask,) = person.asks
    assert (ask.chat, ask.channel, ask.who, ask.words) == ("slack", CHANNEL_NAME, ALICE, "check <a@b.org>")
    assert ask.addressed
    assert len(server.acknowledged) == 1


async def test_slack_has_its_yes_before_a_slow_answer_is_ready(server: SlackServer, slack: Slack) -> None:
    go = asyncio.Event()

    async def slow(ask: Ask) -> Reply | None:
        await go.wait()
        return Reply(Page("at last"))

    async with listening(slack, slow):
        await server.command("check a@b.org")
        await until(lambda: server.acknowledged)
        assert await server.bot_messages() == []
        go.set()
        await heard(server, "at last")


async def test_an_answer_for_all_is_seen_by_all(server: SlackServer, slack: Slack) -> None:
    async with listening(slack, Person(private=False)):
        await server.command("status --here")
        message = await heard(server, "you said status --here")
    assert "ephemeral_to" not in message


async def test_a_mention_is_answered_once_though_it_comes_as_two_events(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        name = f"<@{await server.bot_user()}>"
        await server.say(f"{name} explain plain-del-on-rculist")
        await heard(server, "you said explain")
        card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
        await server.say(f"{name} status", thread=card)
        await heard(server, "you said status")
    assert [(ask.words, ask.addressed) for ask in person.asks] == [
        ("explain plain-del-on-rculist", True),
        ("status", True),
    ]
    assert person.asks[1].place == card


async def test_words_in_a_thread_come_with_its_place_and_their_own_name(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
        said = await server.say("explain", thread=card)
        message = await heard(server, "you said explain")
    (ask,) = person.asks
    assert (ask.place, ask.addressed, ask.event) == (card, False, f"message {CHANNEL} {said}")
    assert (message["thread_ts"], message["ephemeral_to"]) == (card, ALICE)


async def test_chatter_in_the_channel_is_not_listened_to(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        await server.say("explain")
        await server.command("status")
        await heard(server, "you said status")
    assert [ask.words for ask in person.asks] == ["status"]


async def test_the_bots_own_words_are_not_answered(server: SlackServer, slack: Slack) -> None:
    person = Person(private=False)
    async with listening(slack, person):
        card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
        await slack.post(CHANNEL_NAME, Page("explain"), thread=card, delivery="r1")
        await server.command("status")
        await heard(server, "you said status")
    assert [ask.words for ask in person.asks] == ["status"]


async def test_an_answer_outlasts_a_rate_limit(server: SlackServer, slack: Slack) -> None:
    async with listening(slack, Person(private=False)):
        server.faults["chat.postMessage"] = ["429 0"]
        await server.say(f"<@{await server.bot_user()}> status")
        await heard(server, "you said status")


async def test_an_answer_that_fails_is_told_and_the_next_one_works(server: SlackServer, slack: Slack) -> None:
    async def clumsy(ask: Ask) -> Reply | None:
        if ask.words == "fail":
            raise RuntimeError("oh")
        return Reply(Page("fine"))

    async with listening(slack, clumsy):
        await server.command("fail")
        await heard(server, "went wrong")
        await server.command("again")
        await heard(server, "fine")


async def test_an_answer_that_is_still_sought_ends_with_the_listening(server: SlackServer, slack: Slack) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def slow(ask: Ask) -> Reply | None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return None

    async with listening(slack, slow):
        await server.command("status")
        await begun.wait()
    assert ended.is_set()


async def test_a_lost_connection_is_seen_and_mended(server: SlackServer, slack: Slack) -> None:
    assert not slack.healthy()
    person = Person()
    async with listening(slack, person):
        await until(lambda: server.connected == 1)
        server.drop_sockets()
        await until(lambda: not slack.healthy())
        await until(slack.healthy)
        await server.command("status")
        await heard(server, "you said status")
    assert not slack.healthy()


async def test_a_slack_that_is_down_at_the_start_is_waited_for(server: SlackServer, slack: Slack) -> None:
    server.faults["auth.test"] = ["500"]
    async with listening(slack, Person()):
        await server.command("status")
        await heard(server, "you said status")


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
async def test_a_bad_token_ends_the_listening_with_the_cure(server: SlackServer, slack: Slack, method: str) -> None:
    server.faults[method] = ["invalid_auth"]
    with pytest.raises(ChatError, match="SLACK_APP_TOKEN") as caught:
        await slack.listen(Person())
    assert caught.value.final
