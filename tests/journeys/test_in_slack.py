"""The whole service against a Slack server that we did not write: one thread, nothing lost, nothing said twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from bot.chats.slack.connection import EVENTS
from config.settings import load
from tests.chats.slack_server import (
    ALICE,
    APP_TOKEN,
    BOT_TOKEN,
    CHANNEL_NAME,
    SECRET,
    SlackServer,
    button_of,
    needs_slack,
    slack_server,
)
from tests.journeys.gracewatch import EXAMPLES, feed_of
from tests.ports import free_port

pytestmark = needs_slack
V1, V3 = EXAMPLES / "kvm/v1.mbox", EXAMPLES / "kvm/v3.mbox"


@asynccontextmanager
async def in_slack(folder: Path, feed: Path, server: SlackServer, *, http_mode: bool = False) -> AsyncIterator[App]:
    port = free_port()
    server.listener = f"http://127.0.0.1:{port}{EVENTS}" if http_mode else ""
    modes = {"GRACEWATCH_SLACK_MODE": "http", "GRACEWATCH_SLACK_HTTP_PORT": str(port), "SLACK_SIGNING_SECRET": SECRET}
    settings = load(
        None,
        {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            **(modes if http_mode else {"SLACK_APP_TOKEN": APP_TOKEN}),
            "GRACEWATCH_SLACK_CHANNEL": CHANNEL_NAME,
            "GRACEWATCH_SLACK_API_URL": server.api_url,
            "GRACEWATCH_CONSOLE_ENABLED": "false",
            "GRACEWATCH_FEEDS": f'[{{"name": "test", "kind": "directory", "path": "{feed}"}}]',
            "GRACEWATCH_TREE_PATH": str(EXAMPLES / "tree"),
            "GRACEWATCH_STATE_FOLDER": str(folder / "state"),
            "GRACEWATCH_HEALTH_PORT": "0",
            "GRACEWATCH_MAIL_POLL": "1s",
        },
    )
    app = App(settings)
    running = asyncio.create_task(app.run())
    try:
        yield app
    finally:
        app.stop()
        await running


async def texts(server: SlackServer) -> list[str]:
    return [str(message) for message in await server.bot_messages()]


async def has(server: SlackServer, *words: str) -> bool:
    """Does a message of the bot hold one of these?"""
    return any(one in text for text in await texts(server) for one in words)


@pytest.mark.parametrize("fault", ["lost", "cut", "429 1", "500"])
async def test_a_post_that_goes_wrong_is_neither_lost_nor_said_twice(tmp_path: Path, fault: str) -> None:
    async with slack_server(tmp_path) as server:
        server.faults["chat.postMessage"] = [fault, fault]
        async with in_slack(tmp_path, feed_of(tmp_path, V1), server) as app:
            await server.until(lambda: has(server, "kvm_device_release()"))
            await server.until(lambda: sent(app, 2))
        said = await server.bot_messages()
        assert len(said) == 2
        assert said[1]["thread_ts"] == said[0]["ts"]


async def test_a_reroll_edits_the_card_and_says_nothing_again_after_a_restart(tmp_path: Path) -> None:
    async with slack_server(tmp_path) as server:
        feed = feed_of(tmp_path, V1)
        async with in_slack(tmp_path, feed, server):
            await server.until(lambda: has(server, "kvm_device_release()"))
        feed_of(tmp_path, V3)
        async with in_slack(tmp_path, feed, server):
            await server.until(lambda: has(server, "fixed in v3: 2"))
        assert len(await server.bot_messages()) == 2


async def test_a_person_asks_in_the_thread_and_is_answered_there(tmp_path: Path) -> None:
    async with slack_server(tmp_path) as server, in_slack(tmp_path, feed_of(tmp_path, V1), server):
        await server.until(lambda: has(server, "kvm_device_release()"))
        card = (await server.bot_messages())[0]
        await server.say(f"<@{await server.bot_user()}> explain plain-del-on-rculist --here", card["ts"])
        await server.until(lambda: has(server, "Remove with list_del_rcu()"))


async def test_a_click_shows_on_the_message_and_a_second_one_takes_it_back(tmp_path: Path) -> None:
    async with slack_server(tmp_path) as server, in_slack(tmp_path, feed_of(tmp_path, V1), server) as app:
        await server.until(lambda: has(server, "kvm_device_release()"))
        await server.until(lambda: sent(app, 2))
        before = await server.bot_messages()
        await server.click(before[1], "Ack")
        await server.until(lambda: has(server, "Acknowledged by <@U01ALICE>, "))
        await server.until(lambda: sent(app, 3))
        after = await server.bot_messages()
        assert [message["ts"] for message in after[:2]] == [message["ts"] for message in before]
        await server.click(after[1], "Reopen")
        await server.until(lambda: gone(server, "Acknowledged by <@U01ALICE>, "))
        async with app.store.transaction() as transaction:
            assert [deed.outcome.split()[0] for deed in await transaction.deeds(9)] == ["reopen", "ack"]


async def gone(server: SlackServer, words: str) -> bool:
    """Is no message in the thread that says so?  Answers to one person are not counted."""
    return not any(words in str(message) for message in (await server.bot_messages())[:2])


async def sent(app: App, number: int) -> bool:
    """Does the outbox hold so many pages that it knows to have arrived?"""
    async with app.store.transaction() as transaction:
        return (await transaction.counts())["sent"] == number


@pytest.mark.parametrize("http_mode", [False, True], ids=["socket", "http"])
async def test_two_people_acknowledge_at_once_and_the_message_says_who(tmp_path: Path, http_mode: bool) -> None:
    async with (
        slack_server(tmp_path, http_mode=http_mode) as server,
        in_slack(tmp_path, feed_of(tmp_path, V1), server, http_mode=http_mode) as app,
    ):
        await server.until(lambda: has(server, "kvm_device_release()"))
        await server.until(lambda: asyncio.sleep(0, app.chats["slack"].healthy()))
        warning = next(one for one in await server.bot_messages() if one.get("thread_ts"))
        await asyncio.gather(server.click(warning, "Ack"), server.click(warning, "Ack", user="U02BOB"))
        await server.until(lambda: has(server, "Until now:"))  # what the second of them is told
        await server.click(warning, "Ack")  # on a message that was not yet redrawn
        await server.until(lambda: shows(server, warning, f"Acknowledged by <@{ALICE}>"))
        await server.click(warning, "Ack")
        await server.until(lambda: has(server, "You said so before"))
        now = await shows(server, warning, f"Acknowledged by <@{ALICE}>")
        assert str(now["blocks"]).count("Acknowledged by") == 1
        assert button_of(now, "Reopen")


async def shows(server: SlackServer, message: dict[str, Any], words: str) -> dict[str, Any]:
    """The message as it stands now, {} while these words are not in it."""
    now = next(one for one in await server.bot_messages() if one["ts"] == message["ts"])
    return now if words in str(now["blocks"]) else {}


async def test_a_hostile_subject_pings_nobody_and_breaks_nothing(tmp_path: Path) -> None:
    hostile = "<!channel> <@U01ALICE> ``` @here \u202e*_~ " * 120  # 5 kB
    mails = V1.read_text("utf-8").replace("Walk the device list under RCU", hostile)
    mails = mails.replace("Content-Type: text/plain; charset=us-ascii", "Content-Type: text/plain; charset=utf-8")
    made = tmp_path / "hostile.mbox"
    made.write_text(mails, "utf-8")
    async with slack_server(tmp_path) as server, in_slack(tmp_path, feed_of(tmp_path, made), server):
        await server.until(lambda: has(server, "kvm_device_release()"))
        card = (await server.bot_messages())[0]
        shown = str([block.get("text") for block in card["blocks"]]) + card["text"]
        assert "&lt;!channel&gt;" in shown
        for evil in ("<!channel>", "<@U01ALICE>", "```", "@here", "\u202e"):
            assert evil not in shown
        assert len(card["blocks"][0]["text"]["text"]) < 3000
