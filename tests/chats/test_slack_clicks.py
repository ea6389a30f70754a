"""People's clicks in Slack, over both transports: a button says its words, a form asks for the rest of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.chats.slack import Slack
from bot.model import Action, Ask, Page, Reply, Text
from tests.chats.people import Person, listening, until
from tests.chats.slack_server import ALICE, CHANNEL_NAME, SlackServer, called, heard
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module

ACTIONS = (
    Action("Ack", "ack 3fa9"),
    Action("False positive", "fp 3fa9", asks="Why is it wrong?"),
    Action("Evidence", link="https://lore.kernel.org/r/a@b"),
)
CARD = Page("KVM: walk devices", parts=(Text("v1: 1 new"),))
WARNING = Page("list_del() on kvm.devices", parts=(Text("in the diff"),), actions=ACTIONS)


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def thread(server: SlackServer, slack: Slack) -> tuple[str, dict[str, Any]]:
    """A card and a warning below it: the card's id and the warning as Slack has it."""
    card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    await slack.post(CHANNEL_NAME, WARNING, thread=card, delivery="r1")
    return card, (await server.bot_messages())[1]


async def form_is_open(server: SlackServer) -> Any:
    return await server.until(lambda: asyncio.sleep(0, called(server, "views.open")))


async def test_a_click_says_the_words_of_its_button_in_the_thread(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        card, warning = await thread(server, slack)
        await server.click(warning, "Ack")
        message = await heard(server, "you said ack 3fa9")
    (ask,) = person.asks
    assert (ask.words, ask.channel, ask.who, ask.place, ask.addressed) == ("ack 3fa9", CHANNEL_NAME, ALICE, card, True)
    assert ask.event.startswith("click ")
    assert (message["thread_ts"], message["ephemeral_to"]) == (card, ALICE)


async def test_a_button_of_the_card_itself_speaks_in_its_thread(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        card = await slack.post(CHANNEL_NAME, WARNING, thread="", delivery="k1")
        await server.click((await server.bot_messages())[0], "Ack")
        await until(lambda: person.asks)
    assert person.asks[0].place == card


async def test_a_form_asks_for_the_reason_and_puts_it_behind_the_words(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        card, warning = await thread(server, slack)
        await server.click(warning, "False positive")
        await form_is_open(server)
        assert person.asks == []
        await server.fill_in("answer", "answer", "the list is private\nuntil it is published")
        message = await heard(server, "you said fp 3fa9")
    (ask,) = person.asks
    assert ask.words == "fp 3fa9 the list is private until it is published"
    assert (ask.place, ask.who, ask.event.split()[0]) == (card, ALICE, "form")
    assert message["ephemeral_to"] == ALICE


async def test_a_double_click_asks_once_while_the_answer_is_sought(server: SlackServer, slack: Slack) -> None:
    go, asks = asyncio.Event(), list[Ask]()

    async def slow(ask: Ask) -> Reply | None:
        asks.append(ask)
        await go.wait()
        return Reply(Page("noted"))

    async with listening(slack, slow):
        _, warning = await thread(server, slack)
        await server.click(warning, "Ack")
        await server.click(warning, "Ack")
        await server.click(warning, "Evidence")
        await until(lambda: len(server.acknowledged) + server.answers.count(200) >= 3)
        go.set()
        await heard(server, "noted")
    assert [ask.words for ask in asks] == ["ack 3fa9"]


async def test_two_people_click_at_once_and_both_are_heard(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        _, warning = await thread(server, slack)
        await asyncio.gather(server.click(warning, "Ack"), server.click(warning, "Ack", user="U02BOB"))
        await until(lambda: len(person.asks) == 2)
    assert {ask.who for ask in person.asks} == {ALICE, "U02BOB"}


async def test_a_button_that_only_leads_somewhere_says_nothing(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        _, warning = await thread(server, slack)
        await server.click(warning, "Evidence")
        await until(lambda: len(server.acknowledged) + server.answers.count(200) >= 1)
        await server.command("status")
        await heard(server, "you said status")
    assert [ask.words for ask in person.asks] == ["status"]


async def test_a_form_that_slack_will_not_open_harms_nothing(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person):
        _, warning = await thread(server, slack)
        server.faults["views.open"] = ["expired_trigger_id"]
        await server.click(warning, "False positive")
        await form_is_open(server)
        await server.click(warning, "Ack")
        await heard(server, "you said ack")
    assert [ask.words for ask in person.asks] == ["ack 3fa9"]


async def test_a_click_on_app_home_is_answered_in_a_window(server: SlackServer, slack: Slack) -> None:
    home = Page("Your gracewatch", actions=(Action("Status", "status"), Action("Unmute", "unmute 7", asks="Sure?")))

    async def answer(ask: Ask) -> Reply | None:
        return Reply(home if ask.words == "home" else Page(f"you said {ask.words}"))

    async with listening(slack, answer):
        await server.open_home()
        await until(lambda: called(server, "views.publish"))
        await server.click_home(called(server, "views.publish")[0]["view"], "Status")
        await until(lambda: [call for call in called(server, "views.update") if "you said status" in str(call)])
        await until(lambda: len(called(server, "views.publish")) == 2)
    assert called(server, "chat.postEphemeral") == []
