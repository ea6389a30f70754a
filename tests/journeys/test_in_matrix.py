"""The whole service in Matrix: the same thread as in Slack, with lines to type in place of buttons.

card of the device list
└── list_del() on kvm.devices         alice types the line that the message shows, and the message says so
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from bot.app import App
from config.settings import load
from tests.chats.matrix_server import Accounts, matrix_room, needs_matrix
from tests.journeys.gracewatch import EXAMPLES, feed_of

pytestmark = needs_matrix


async def test_a_thread_is_told_judged_and_edited(tmp_path: Path, matrix_accounts: Accounts) -> None:
    async with matrix_room(matrix_accounts) as room:
        feed = feed_of(tmp_path, EXAMPLES / "kvm/v1.mbox")
        settings = load(
            None,
            {
                "MATRIX_ACCESS_TOKEN": room.bot_token,
                "GRACEWATCH_MATRIX_HOMESERVER": room.address,
                "GRACEWATCH_MATRIX_CHANNEL": room.alias,
                "GRACEWATCH_CONSOLE_ENABLED": "false",
                "GRACEWATCH_FEEDS": f'[{{"name": "test", "kind": "directory", "path": "{feed}"}}]',
                "GRACEWATCH_TREE_PATH": str(EXAMPLES / "tree"),
                "GRACEWATCH_STATE_FOLDER": str(tmp_path / "state"),
                "GRACEWATCH_HEALTH_PORT": "0",
                "GRACEWATCH_MAIL_POLL": "1s",
            },
        )
        app = App(settings)
        running = asyncio.create_task(app.run())
        try:
            fault = await room.heard("kvm_device_release()")
            card = (await room.bot_events())[0]
            assert fault["content"]["m.relates_to"]["event_id"] == card["event_id"]
            line = re.search(r"Ack: (!rcu ack \w+)", fault["content"]["body"])
            assert line
            await room.say(f"{line[1]} v2 will have it", thread=card["event_id"])
            edit = await room.heard("* error: list_del()")
            assert "Acknowledged by @alice:test.example" in edit["content"]["m.new_content"]["body"]
            assert edit["content"]["m.relates_to"] == {"rel_type": "m.replace", "event_id": fault["event_id"]}
        finally:
            app.stop()
            await running
