"""A person at a browser: reads the warning, presses its button, fills in the form, and is heard."""

from __future__ import annotations

import pytest

from bot.chats.slack import Slack
from bot.model import Action, Code, Level, Page, Text
from tests.chats.browser import browser_page, needs_browser
from tests.chats.people import Person, listening, until
from tests.chats.slack_server import CHANNEL_NAME, SlackServer, heard, needs_slack

pytestmark = [*needs_slack, needs_browser]

CARD = Page("KVM: walk devices", "https://lore.kernel.org/r/a@example.org", Level.ERROR, (Text("v1: 1 new"),))
WARNING = Page(
    "list_del() on kvm.devices",
    parts=(Code("list_del(&dev->vm_node);"),),
    actions=(Action("Ack", "ack 3fa9"), Action("False positive", "fp 3fa9", asks="Why is it wrong?")),
)


@pytest.fixture(params=["socket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_person_marks_a_false_positive_with_a_reason(server: SlackServer, slack: Slack) -> None:
    person = Person()
    async with listening(slack, person), browser_page() as page:
        await slack.post(CHANNEL_NAME, CARD, thread="", delivery="k1")
        await slack.post(CHANNEL_NAME, WARNING, thread="", delivery="k2")
        await page.goto(server.upstream)
        await page.get_by_text("list_del() on kvm.devices").wait_for()
        await page.get_by_role("button", name="False positive").click()
        await page.get_by_text("Why is it wrong?").wait_for()
        await page.locator(".bk-plain-input").fill("the list is private until it is published")
        await page.get_by_role("button", name="Send", exact=True).last.click()
        await until(lambda: person.asks)
        await heard(server, "you said fp 3fa9")
    (ask,) = person.asks
    assert ask.words == "fp 3fa9 the list is private until it is published"
    assert ask.channel == CHANNEL_NAME
