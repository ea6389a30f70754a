"""The app manifest asks for what the code uses, and for nothing else."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.ears import COMMAND, SHORTCUT
from bot.report import links
from handlers.verbs import commands

ROOT = Path(__file__).parents[2]
MANIFEST = json.loads((ROOT / "config" / "slack-manifest.json").read_text(encoding="utf-8"))
SOURCES = [
    ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "bot" / "chats" / "slack").glob("*.py"))
]

# https://docs.slack.dev/reference/methods and /reference/events: the bot scopes that each needs.
METHODS = {
    "apps_connections_open": set(),  # connections:write of the app-level token
    "auth_test": set(),
    "chat_delete": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_unfurl": {"links:write"},
    "chat_update": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history"},
    "conversations_list": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "conversations_replies": {"channels:history", "groups:history"},
    "usergroups_users_list": {"usergroups:read"},
    "files_upload_v2": {"files:write"},
    "views_open": set(),
    "views_publish": set(),
    "views_push": set(),
    "views_update": set(),
}
EVENTS = {
    "app_home_opened": {"app_home_opened": set()},
    "app_mention": {"app_mention": {"app_mentions:read"}},
    "link_shared": {"link_shared": {"links:read"}},
    "message": {"message.channels": {"channels:history"}, "message.groups": {"groups:history"}},
}


def calls() -> list[ast.Call]:
    return [node for source in SOURCES for node in ast.walk(source) if isinstance(node, ast.Call)]


def methods_called() -> set[str]:
    """Web API methods: every attribute that is called as one of Slack's client."""
    known = {name for name in vars(AsyncWebClient) if "_" in name.strip("_") and not name.startswith("_")}
    nodes = [node for source in SOURCES for node in ast.walk(source)]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)} & known - {"api_call"}


def events_heard() -> set[str]:
    return {
        str(call.args[0].value)
        for call in calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr == "event" and isinstance(call.args[0], ast.Constant)
    }


def test_the_scopes_are_those_of_the_methods_events_and_commands_in_use() -> None:
    needed = {"commands"}.union(*(METHODS[method] for method in methods_called()))
    needed = needed.union(*(scopes for event in events_heard() for scopes in EVENTS[event].values()))
    assert MANIFEST["oauth_config"]["scopes"]["bot"] == sorted(needed)


def test_the_subscribed_events_are_those_that_are_heard() -> None:
    wanted = {name for event in events_heard() for name in EVENTS[event]}
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == wanted


def test_the_slash_command_is_the_one_that_is_answered() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == COMMAND
    hinted = set(re.findall(r"[a-z]+", command["usage_hint"]))
    assert {"help", "check"} <= hinted <= {one.name for one in commands()}


def test_the_shortcut_is_the_one_that_is_answered() -> None:
    (shortcut,) = MANIFEST["features"]["shortcuts"]
    assert (shortcut["callback_id"], shortcut["type"]) == (SHORTCUT, "message")


def test_links_to_the_archive_of_the_defaults_are_told() -> None:
    assert MANIFEST["features"]["unfurl_domains"] == [urlsplit(links.LORE).hostname]


def test_app_home_is_on() -> None:
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is True


def test_socket_mode_and_buttons_are_on() -> None:
    settings = MANIFEST["settings"]
    assert settings["socket_mode_enabled"] is True
    assert settings["interactivity"] == {"is_enabled": True}


def test_the_texts_keep_slacks_limits() -> None:
    """https://docs.slack.dev/reference/app-manifest"""
    shown = MANIFEST["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4000
    assert len(MANIFEST["features"]["slash_commands"][0]["usage_hint"]) <= 1000
    assert all(len(one["name"]) <= 24 and len(one["description"]) <= 150 for one in MANIFEST["features"]["shortcuts"])
    assert len(MANIFEST["features"]["unfurl_domains"]) <= 5
