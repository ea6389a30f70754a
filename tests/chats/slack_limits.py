"""Slack's documented limits, and what slackblocks and Slack's own library say of a message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import slackblocks
from slack_sdk.models.blocks import Block

from bot.chats.slack.blocks import MOST_BLOCKS, MOST_CHARACTERS


def must_be_taken(text: str, blocks: Sequence[dict[str, Any]]) -> None:
    """Fails when Slack would refuse the message.  https://docs.slack.dev/reference/block-kit/blocks"""
    assert 0 < len(text) <= 4000
    assert 0 < len(blocks) <= MOST_BLOCKS
    assert len(json.dumps(blocks, ensure_ascii=False)) <= MOST_CHARACTERS
    # slackblocks knows the limits from Slack's own specification and refuses what breaks them, as Slack's library does.
    slackblocks.Message(channel="C1", text=text, blocks=[second_opinion(block) for block in blocks])
    for block in blocks:
        found = Block.parse(block)
        assert found is not None
        found.validate_json()
        assert 0 < len(block.get("text", {}).get("text", "x")) <= 3000
        assert len(block.get("fields", ())) <= 10
        assert all(0 < len(field["text"]) <= 2000 for field in block.get("fields", ()))
    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    assert all(0 < len(row) <= 25 for row in rows)
    for button in (button for row in rows for button in row):
        assert 0 < len(button["text"]["text"]) <= 75
        assert len(button.get("value", "")) <= 2000
        assert len(button.get("url", "")) <= 3000
    names = [button["action_id"] for row in rows for button in row]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 255 for name in names)


def second_opinion(block: dict[str, Any]) -> slackblocks.Block:
    """The block as slackblocks builds it, which refuses what Slack would."""
    if block["type"] != "actions":
        return slackblocks.Block.from_dict(block)
    return slackblocks.ActionsBlock(
        elements=[
            slackblocks.Button(
                text=slackblocks.Text(button["text"]["text"], type_=slackblocks.TextType.PLAINTEXT, emoji=False),
                action_id=button["action_id"],
                value=button.get("value"),
                url=button.get("url"),
            )
            for button in block["elements"]
        ]
    )
