"""Slack as people and the outbox meet it, on a Slack server that is not ours.

card ──┬── reply          posted, edited, found again by the delivery that the message carries
       └── "explain"      a person's words in the thread, answered to that person
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.chats.slack import Slack
from bot.model import Chart, Code, Level, Page, Text
from bot.ports import Cause, ChatError
from tests.chats.slack_server import (
    ALICE,
    CHANNEL,
    CHANNEL_NAME,
    SlackServer,
    called,
)
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module

CARD = Page("KVM: walk devices", "https://lore.kernel.org/r/a@example.org", Level.ERROR, (Text("v1: 1 new"),))
WARNING = Page("list_del() on kvm.devices", parts=(Code("list_del(&dev->vm_node);"),))


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
    ("error", "cause", "cure"),
    [
        ("channel_not_found", Cause.CHANNEL, "/invite @gracewatch"),
        ("not_in_channel", Cause.CHANNEL, "/invite @gracewatch"),
        ("is_archived", Cause.CHANNEL, "unarchive"),
        ("invalid_auth", Cause.ACCESS, "SLACK_BOT_TOKEN"),
        ("account_inactive", Cause.ACCESS, "install it again"),
        ("missing_scope", Cause.ACCESS, "slack-manifest.json"),
    ],
)
async def test_what_somebody_can_mend_is_not_final_and_brings_its_cure(
    server: SlackServer, slack: Slack, error: str, cause: Cause, cure: str
) -> None:
    server.faults["chat.postMessage"] = [error]
    with pytest.raises(ChatError, match=cure) as caught:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert caught.value.cause is cause
    assert not caught.value.final


async def test_a_page_that_slack_will_never_take_is_final(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["invalid_blocks", "msg_too_long"]
    with pytest.raises(ChatError, match="msg_too_long") as caught:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    assert caught.value.final


async def test_a_card_that_was_deleted_is_told_by_the_edit(server: SlackServer, slack: Slack) -> None:
    card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    await server.control("delete-message", channel=CHANNEL, ts=card, user=ALICE)
    server.faults["chat.update"] = ["message_not_found"]
    with pytest.raises(ChatError, match="was deleted") as caught:
        await slack.edit(CHANNEL_NAME, card, CARD)
    assert caught.value.cause is Cause.GONE


async def test_a_channel_that_was_made_anew_under_its_name_is_found(server: SlackServer, slack: Slack) -> None:
    await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    server.faults["chat.postMessage"] = ["is_archived"]
    with pytest.raises(ChatError):
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k2")
    await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k2")
    assert len(called(server, "conversations.list")) == 2


async def test_a_channel_that_does_not_exist_is_named_with_the_cure(slack: Slack) -> None:
    with pytest.raises(ChatError, match=r"no channel #nowhere .* check its name") as caught:
        await slack.post("#nowhere", CARD, thread="", delivery="k1")
    assert caught.value.cause is Cause.CHANNEL


DIGEST = Page("digest", parts=(Text("2 series reviewed"),), chart=Chart("Series a day", ("Mon",), (("found", (2.0,)),)))


async def test_a_chart_is_shown_as_a_picture(server: SlackServer, slack: Slack) -> None:
    await slack.post(CHANNEL_NAME, DIGEST, thread="", delivery="k1")
    (message,) = await server.bot_messages()
    assert [block["type"] for block in message["blocks"]] == ["section", "section", "image"]
    assert message["blocks"][-1]["slack_file"]["id"].startswith("F")
    assert message["blocks"][-1]["alt_text"] == "Series a day"


@pytest.mark.parametrize(
    "faults", [{"files.getUploadURLExternal": ["missing_scope"]}, {"chat.postMessage": ["invalid_blocks"]}]
)
async def test_a_picture_that_fails_takes_no_words_with_it(
    server: SlackServer, slack: Slack, faults: dict[str, list[str]]
) -> None:
    server.faults |= faults
    await slack.post(CHANNEL_NAME, DIGEST, thread="", delivery="k1")
    (message,) = await server.bot_messages()
    assert [block["type"] for block in message["blocks"]] == ["section", "section"]


async def test_an_edit_that_slack_refuses_is_made_in_words(server: SlackServer, slack: Slack) -> None:
    card = await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    server.faults["chat.update"] = ["invalid_blocks"]
    await slack.edit(CHANNEL_NAME, card, Page("KVM: walk devices", parts=(Text("v2: 1 fixed"),)))
    (message,) = await server.bot_messages()
    assert "v2: 1 fixed" in message["text"]


async def test_blocks_that_slack_refuses_are_posted_as_words(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["msg_blocks_too_long"]
    await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
    (message,) = await server.bot_messages()
    assert "v1: 1 new" in message["text"]


async def test_a_reply_to_a_deleted_card_does_not_end_up_in_the_channel(server: SlackServer, slack: Slack) -> None:
    server.faults["chat.postMessage"] = ["orphan"]
    with pytest.raises(ChatError, match="was deleted") as caught:
        await slack.post(CHANNEL_NAME, WARNING, thread="1700000000.000001", delivery="r1")
    assert caught.value.cause is Cause.GONE
    assert await server.bot_messages() == []
