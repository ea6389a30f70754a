"""HTTP mode: what is not freshly signed with the secret is refused, and nothing of it is heard."""

from __future__ import annotations

import json
import time

import pytest

from bot.chats.slack import Http, Slack
from bot.ports import ChatError
from tests.chats.people import Person, listening
from tests.chats.slack_server import BOT_TOKEN, SECRET, SlackServer, heard, signed
from tests.chats.slack_server import needs_slack as pytestmark  # noqa: F401  marks this whole module

BODY = b"command=%2Frcu&text=status&channel_id=C01GEN&user_id=U01ALICE&team_id=T01&trigger_id=t"
KIND = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def transport() -> str:
    return "http"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, 0, "a guess"),
        signed(BODY + b"&more=1"),
        signed(BODY, at=time.time() - 600),
        {**signed(BODY), "X-Slack-Request-Timestamp": "soon"},
    ],
    ids=["unsigned", "another secret", "another body", "ten minutes old", "no time"],
)
async def test_a_request_that_slack_did_not_sign_just_now_is_refused(
    server: SlackServer, slack: Slack, headers: dict[str, str]
) -> None:
    person = Person()
    async with listening(slack, person):
        assert await server.request(BODY, {**KIND, **headers}) in {400, 401}
        await server.command("status")
        await heard(server, "you said status")
    assert len(person.asks) == 1


async def test_slack_proves_that_the_address_is_ours(server: SlackServer, slack: Slack) -> None:
    """https://docs.slack.dev/reference/events/url_verification"""
    body = json.dumps({"type": "url_verification", "token": "x", "challenge": "c-1"}).encode()
    async with listening(slack, Person()):
        assert await server.request(body, {"Content-Type": "application/json", **signed(body)}) == 200
        assert await server.request(body, {"Content-Type": "application/json"}) == 401


@pytest.mark.parametrize("body", [b"", b"{", b"payload=%7B", b"\xff\xfe", b"[" * 100_000, b"x" * 2_000_000])
async def test_a_signed_body_that_makes_no_sense_harms_nothing(server: SlackServer, slack: Slack, body: bytes) -> None:
    person = Person()
    async with listening(slack, person):
        assert await server.request(body, {**KIND, **signed(body)}) >= 400
        await server.command("status")
        await heard(server, "you said status")
    assert len(person.asks) == 1


async def test_a_port_that_is_taken_is_named_with_the_cure(server: SlackServer, slack: Slack) -> None:
    taken = int(server.address.rsplit(":", 1)[1])
    other = Slack(BOT_TOKEN, Http(SECRET, "127.0.0.1", taken), api_url=server.api_url)
    with pytest.raises(ChatError, match=r"slack\.http_port"):
        await other.listen(Person())
    assert not other.healthy()
