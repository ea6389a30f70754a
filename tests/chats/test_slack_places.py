"""Names of channels, people and groups in Slack: looked up where they are, and refused with the cure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.chats.slack.places import Places
from bot.ports import ChatError
from tests.ports import free_port

ANSWERS = {
    "conversations.open": {"ok": True, "channel": {"id": "D042"}},
    "usergroups.users.list": {"ok": True, "users": ["U1", "U2"]},
    "conversations.list": {"ok": True, "channels": [{"id": "C042", "name": "kvm"}]},
}


class Workspace:
    """Answers as Slack documents it, and counts what it is asked; local-slack knows no groups and no new talks."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        words = parse_qs(await request.text()) | parse_qs(request.query_string)
        self.asked.append((method, {name: values[0] for name, values in words.items()}))
        if words.get("usergroup") == ["S0"]:
            return web.json_response({"ok": False, "error": "no_such_subteam"})
        return web.json_response(ANSWERS[method])


@pytest.fixture
async def workspace() -> AsyncIterator[tuple[Workspace, Places]]:
    made, app = Workspace(), web.Application()
    app.router.add_route("*", "/api/{method}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made, Places(AsyncWebClient(token="xoxb-test", base_url=f"http://127.0.0.1:{port}/api/"))  # noqa: S106
    await runner.cleanup()


async def test_a_private_talk_is_opened_once_and_known_by_the_person(workspace: tuple[Workspace, Places]) -> None:
    it, places = workspace
    assert [await places.id("@U024BE7LH"), await places.id("@U024BE7LH")] == ["D042", "D042"]
    assert it.asked == [("conversations.open", {"users": "U024BE7LH"})]
    assert places.name_of("D042") == "@U024BE7LH"


async def test_a_channel_is_found_by_its_name_and_an_id_needs_no_looking(workspace: tuple[Workspace, Places]) -> None:
    it, places = workspace
    assert [await places.id("#kvm"), await places.id("C123")] == ["C042", "C123"]
    assert len(it.asked) == 1
    places.forget("#kvm")
    assert await places.id("#kvm") == "C042"
    assert len(it.asked) == 2
    with pytest.raises(ChatError, match="invite @gracewatch"):
        await places.id("#nowhere")


@pytest.mark.parametrize("name", ["@", "@here", "@channel", "@<U1>", "@U1 or U2"])
async def test_what_is_no_person_is_never_opened(workspace: tuple[Workspace, Places], name: str) -> None:
    it, places = workspace
    with pytest.raises(ChatError):
        await places.id(name)
    assert {method for method, _ in it.asked} == {"conversations.list"}


async def test_members_of_a_group_are_listed_and_a_group_that_is_not_is_told(
    workspace: tuple[Workspace, Places],
) -> None:
    it, places = workspace
    assert await places.members("S1") == {"U1", "U2"}
    assert it.asked[0][1]["usergroup"] == "S1"
    with pytest.raises(ChatError, match="the user group S0"):
        await places.members("S0")
