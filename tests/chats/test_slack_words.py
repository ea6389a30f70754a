"""People's words in Slack, over both transports: commands, mentions, replies in threads, shortcuts, links, App Home."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from bot.chats.slack import Slack
from bot.model import Action, Ask, Page, Reply, Text
from tests.chats.people import Person, listening, until
from tests.chats.slack_server import ALICE, CHANNEL, CHANNEL_NAME, SlackServer, called, heard
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module

CARD = Page("KVM: walk devices", parts=(Text("v1: 1 new"),))


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def acknowledged(server: SlackServer) -> int:
    """How many events Slack has its yes to."""
    return len(server.acknowledged) + server.answers.count(200)


async def test_the_slash_command_is_acknowledged_and_answered_to_its_asker(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        await server.command("check &lt;a@b.org&gt;")
        message = await heard(server, "you said")
    assert message["ephemeral_to"] == ALICE
    (ask,) = person.asks
    assert (ask.chat, ask.channel, ask.who, ask.words) == ("slack", CHANNEL_NAME, ALICE, "check <a@b.org>")
    assert ask.addressed
    assert acknowledged(server) == 1


async def test_slack_has_its_yes_before_a_slow_answer_is_ready(server: SlackServer, slack: Slack) -> None:
    go = asyncio.Event()

    async def slow(ask: Ask) -> Reply | None:
        await go.wait()
        return Reply(Page("at last"))

    async with listening(slack, slow):
        await server.command("check a@b.org")
        await until(lambda: acknowledged(server))
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


async def test_an_event_that_comes_twice_is_named_the_same(server: SlackServer, slack: Slack) -> None:
    """handlers.asked answers one of them: a chat without a store cannot know."""
    server.twice = True
    person = Person()
    async with listening(slack, person):
        card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
        await server.say("explain", thread=card)
        await until(lambda: acknowledged(server) >= 2)
        await heard(server, "you said explain")
    assert len({ask.event for ask in person.asks}) == 1


async def test_a_message_is_checked_with_its_shortcut(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        await server.tell("interactive", shortcut("<https://lore.kernel.org/kvm/a.1@b.org/T/#u|see>"))
        await until(lambda: person.asks)
    (ask,) = person.asks
    assert (ask.words, ask.channel, ask.who) == (
        "check https://lore.kernel.org/kvm/a.1@b.org/T/#u",
        CHANNEL_NAME,
        ALICE,
    )
    assert (ask.place, ask.event, ask.addressed) == ("1700000000.000100", "shortcut t-1", True)


async def test_a_message_without_mail_is_checked_as_the_thread_it_stands_in(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        await server.tell("interactive", shortcut("looks wrong to me", thread="1700000000.000001"))
        await until(lambda: person.asks)
    assert [(ask.words, ask.place) for ask in person.asks] == [("check", "1700000000.000001")]


def shortcut(text: str, thread: str = "") -> dict[str, Any]:
    """https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload"""
    message = {"type": "message", "user": ALICE, "ts": "1700000000.000100", "text": text}
    return {
        "type": "message_action",
        "callback_id": "check_for_rcu",
        "trigger_id": "t-1",
        "token": "x",
        "team": {"id": "T01"},
        "user": {"id": ALICE, "name": "alice"},
        "channel": {"id": CHANNEL, "name": "general"},
        "message": {**message, **({"thread_ts": thread} if thread else {})},
        "message_ts": "1700000000.000100",
        "response_url": "http://127.0.0.1:1/nowhere",
    }


async def test_a_pasted_link_shows_what_is_known_and_an_unknown_one_nothing(server: SlackServer, slack: Slack) -> None:
    known = "https://lore.kernel.org/kvm/a@b.org/"

    async def linked(address: str) -> Page | None:
        return Page("KVM: walk devices", parts=(Text("1 finding: kvm.devices"),)) if address == known else None

    async with listening(slack, Person(), linked):
        server.faults["chat.unfurl"] = ["not_implemented_here"]  # local-slack does not know the method
        await server.tell("events_api", shared("https://lore.kernel.org/kvm/other@b.org/"))
        await server.tell("events_api", shared(known, "https://lore.kernel.org/kvm/other@b.org/"))
        await until(lambda: called(server, "chat.unfurl"))
    (call,) = called(server, "chat.unfurl")
    assert (call["channel"], call["ts"], list(unfurls(call))) == (CHANNEL, "1700000000.000200", [known])
    assert "1 finding: kvm.devices" in str(unfurls(call))


def unfurls(call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call["unfurls"]) if isinstance(call["unfurls"], str) else call["unfurls"]
    return found


def shared(*addresses: str) -> dict[str, Any]:
    """https://docs.slack.dev/reference/events/link_shared"""
    return {
        "type": "event_callback",
        "event_id": f"Ev{len(addresses)}",
        "team_id": "T01",
        "api_app_id": "A01",
        "event": {
            "type": "link_shared",
            "user": ALICE,
            "channel": CHANNEL,
            "message_ts": "1700000000.000200",
            "source": "conversations_history",
            "unfurl_id": "u-1",
            "links": [{"domain": "lore.kernel.org", "url": address} for address in addresses],
        },
    }


async def test_app_home_shows_the_answer_to_home(server: SlackServer, slack: Slack) -> None:
    async def answer(ask: Ask) -> Reply | None:
        assert (ask.channel, ask.who, ask.words, ask.addressed) == ("", ALICE, "home", True)
        return Reply(Page("Your gracewatch", parts=(Text("no mutes"),), actions=(Action("Help", "help"),)))

    async with listening(slack, answer):
        await server.open_home()
        await until(lambda: called(server, "views.publish"))
    (call,) = called(server, "views.publish")
    assert call["user_id"] == ALICE
    assert "no mutes" in str(call["view"])
