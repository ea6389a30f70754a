"""Socket Mode: connections break and are mended, and bad tokens are told apart from bad weather."""

from __future__ import annotations

import pytest

from bot.chats.slack import Slack
from bot.ports import Cause, ChatError
from tests.chats.people import Person, listening, until
from tests.chats.slack_server import SlackServer, heard
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module


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
    assert caught.value.cause is Cause.ACCESS
