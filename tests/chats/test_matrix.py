"""Matrix as people and the outbox meet it, on a server and with a client that are not ours.

card ──┬── reply          posted, edited, found again by the delivery that the message carries
       └── "explain"      alice's words in the thread, answered there
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import nio
import pytest
from nio.api import RelationshipType

from bot.chats.matrix import Matrix
from bot.chats.matrix.content import MOST_BYTES
from bot.model import Action, Code, Level, Page, Text
from bot.ports import Cause, ChatError
from tests.chats.matrix_server import Accounts, MatrixServer, matrix_room, needs_matrix
from tests.chats.people import Person, listening
from tests.ports import free_port

pytestmark = needs_matrix

CARD = Page("KVM: walk devices", "https://lore.kernel.org/r/a@example.org", Level.ERROR, (Text("v1: 1 new"),))
WARNING = Page(
    "list_del() on kvm.devices",
    parts=(Code("list_del(&dev->vm_node);"),),
    actions=(Action("Ack", "ack 3fa9"), Action("False positive", "fp 3fa9", asks="Why is it wrong?")),
)


@pytest.fixture
async def room(matrix_accounts: Accounts) -> AsyncIterator[MatrixServer]:
    async with matrix_room(matrix_accounts) as it:
        yield it


@pytest.fixture
def matrix(room: MatrixServer) -> Matrix:
    return Matrix(room.address, room.bot_token, channels=(room.alias,))


async def test_a_client_that_is_not_ours_sees_the_thread_and_the_edit(room: MatrixServer, matrix: Matrix) -> None:
    card = await matrix.post(room.alias, CARD, thread="", delivery="k1")
    reply = await matrix.post(room.alias, WARNING, thread=card, delivery="r1")
    await matrix.edit(room.alias, card, Page("KVM: walk devices", parts=(Text("v2: 1 fixed"),)))
    client = nio.AsyncClient(room.address, room.alice)
    client.access_token, client.user_id = room.alice_token, room.alice
    try:
        said = await client.room_messages(room.room, limit=20)
        assert isinstance(said, nio.RoomMessagesResponse)
        seen = {event.event_id: event for event in said.chunk if isinstance(event, nio.RoomMessageNotice)}
        below = [event async for event in client.room_get_event_relations(room.room, card, RelationshipType.thread)]
        edits = [event for event in seen.values() if event.source["content"].get("m.new_content")]
    finally:
        await client.close()
    assert [event.event_id for event in below] == [reply]
    assert "ack 3fa9" in seen[reply].body
    assert "v2: 1 fixed" in edits[0].source["content"]["m.new_content"]["body"]


async def test_the_same_delivery_twice_is_one_message(room: MatrixServer, matrix: Matrix) -> None:
    first = await matrix.post(room.alias, CARD, thread="", delivery="k1")
    other = Matrix(room.address, room.bot_token)
    assert await other.post(room.alias, CARD, thread="", delivery="k1") == first
    assert len(await room.bot_events()) == 1


async def test_a_room_of_the_bots_own_server_needs_no_servers_name(room: MatrixServer, matrix: Matrix) -> None:
    await matrix.post(room.alias.partition(":")[0], CARD, thread="", delivery="k1")
    assert len(await room.bot_events()) == 1


async def test_an_edit_back_to_what_was_is_shown(room: MatrixServer, matrix: Matrix) -> None:
    card = await matrix.post(room.alias, CARD, thread="", delivery="k1")
    for words in ("acked", "open", "acked"):
        await matrix.edit(room.alias, card, Page(words))
    assert [event["content"]["body"] for event in (await room.bot_events())[1:]] == [
        "* acked\n",
        "* open\n",
        "* acked\n",
    ]


async def test_a_card_that_was_removed_is_told(room: MatrixServer, matrix: Matrix) -> None:
    card = await matrix.post(room.alias, CARD, thread="", delivery="k1")
    await room.call("PUT", f"rooms/{room.room}/redact/{card}/t1", {})
    with pytest.raises(ChatError, match="was removed") as caught:
        await matrix.edit(room.alias, card, CARD)
    assert caught.value.cause is Cause.GONE
    with pytest.raises(ChatError, match="was removed"):
        await matrix.post(room.alias, WARNING, thread=card, delivery="r1")


async def test_words_in_the_thread_are_answered_there(room: MatrixServer, matrix: Matrix) -> None:
    person = Person()
    async with listening(matrix, person):
        card = await matrix.post(room.alias, CARD, thread="", delivery="k1")
        said = await room.say("explain", thread=card)
        answer = await room.heard("you said explain")
    (ask,) = [ask for ask in person.asks if ask.channel == room.alias]
    assert (ask.chat, ask.channel, ask.who, ask.words) == ("matrix", room.alias, room.alice, "explain")
    assert (ask.place, ask.event, ask.addressed) == (card, said, False)
    assert answer["content"]["m.relates_to"]["event_id"] == card
    assert answer["content"]["m.mentions"] == {"user_ids": [room.alice]}


async def test_the_bot_is_spoken_to_with_its_sign_or_by_name(room: MatrixServer, matrix: Matrix) -> None:
    person = Person()
    async with listening(matrix, person):
        await room.say("what a day")
        await room.say("!rcu status")
        await room.say(f"{room.bot}: help", **{"m.mentions": {"user_ids": [room.bot]}})
        await room.heard("you said help")
    assert [(ask.words, ask.addressed) for ask in person.asks if ask.channel == room.alias] == [
        ("status", True),
        ("help", True),
    ]


async def test_a_pasted_link_is_answered_with_what_is_known(room: MatrixServer, matrix: Matrix) -> None:
    async def linked(address: str) -> Page | None:
        return CARD if address == "https://lore.kernel.org/kvm/a@b.org/" else None

    person = Person()
    async with listening(matrix, person, linked):
        await room.say("see https://lore.kernel.org/kvm/other@b.org/")
        pasted = await room.say("see https://lore.kernel.org/kvm/a@b.org/")
        answer = await room.heard("v1: 1 new")
    assert answer["content"]["m.relates_to"]["event_id"] == pasted
    assert [ask for ask in person.asks if ask.channel == room.alias] == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"content": None},
        {"content": []},
        {"content": {"msgtype": "m.text", "body": 7}},
        {"content": {"msgtype": "m.text", "body": "!rcu x", "m.mentions": []}},
        {"content": {"msgtype": "m.text", "body": "!rcu x", "m.relates_to": "x"}},
        {"content": {"msgtype": "m.text", "body": "!rcu x", "m.relates_to": {"rel_type": "m.thread"}}},
    ],
)
async def test_odd_messages_of_other_servers_harm_nothing(event: dict[str, object]) -> None:
    person = Person()
    matrix = Matrix("https://matrix.invalid", "t")
    await matrix._heard("!r:x", {"type": "m.room.message", "sender": "@eve:x", "event_id": "$1", **event}, person, None)
    assert all(ask.words == "x" for ask in person.asks)


async def test_a_private_talk_has_one_room_for_ever(room: MatrixServer, matrix: Matrix) -> None:
    first = await matrix.post(f"@{room.alice}", CARD, thread="", delivery="p1")
    other = Matrix(room.address, room.bot_token)
    await other.post(f"@{room.alice}", CARD, thread="", delivery="p2")
    assert await other.find(f"@{room.alice}", "p1", thread="") == first
    assert await room.bot_events() == []


async def test_a_huge_page_is_folded_and_posted(room: MatrixServer, matrix: Matrix) -> None:
    huge = Page("<h" * 3000, parts=(Text("first"), *(Code("<&\n" * 5000),) * 30))
    await matrix.post(room.alias, huge, thread="", delivery="k1")
    (event,) = await room.bot_events()
    assert "more lines" in event["content"]["body"]
    assert len(str(event["content"])) < MOST_BYTES


async def test_a_bad_token_and_an_unknown_room_bring_their_cures(room: MatrixServer, matrix: Matrix) -> None:
    with pytest.raises(ChatError, match="MATRIX_ACCESS_TOKEN") as caught:
        await Matrix(room.address, "wrong").listen(Person())
    assert caught.value.cause is Cause.ACCESS
    with pytest.raises(ChatError, match="invite the bot") as caught:
        await matrix.post("#nowhere:test.example", CARD, thread="", delivery="k1")
    assert (caught.value.cause, caught.value.final) == (Cause.CHANNEL, False)


async def test_a_server_that_is_not_there_is_trouble(room: MatrixServer) -> None:
    with pytest.raises(ChatError, match="did not answer") as caught:
        await Matrix(f"http://127.0.0.1:{free_port()}", "t").post(room.alias, CARD, thread="", delivery="k1")
    assert caught.value.cause is Cause.TROUBLE
