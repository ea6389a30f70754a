"""A channel that watches one feed, driven step by step: real mail, tree, rules, store and commands, and no waiting."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.catalog import rules
from bot.chats.slack.blocks import rendered
from bot.model import Ask, Delivery, Page, RawMail, Review, Series
from bot.report.text import render
from bot.reviewer import Reviewer
from bot.trees.detect import tree_for
from config.known import known_functions
from handlers.asked import asked
from handlers.delivery_due import delivery_due
from handlers.doors import Doors
from handlers.mail_arrived import mail_arrived, opened
from handlers.policy import Place, Policy
from handlers.series_settled import series_settled
from handlers.thread_stirred import thread_stirred
from tests.handlers.outbox import CHANNEL, Outbox, outbox
from tests.journeys.gracewatch import EXAMPLES, ROOT

GOLDEN = ROOT / "tests" / "data" / "life"
POLICY = Policy((Place("console", CHANNEL),))
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
_SEPARATOR = re.compile(rb"^From mboxrd@z[^\n]*\n", re.MULTILINE)


@dataclass
class Watch:
    it: Outbox
    review: Reviewer

    async def receive(self, mails: bytes) -> None:
        """Mails come in, one after the other, and all that follows from them happens."""
        for data in _SEPARATOR.split(mails):
            if data.strip():
                async with self.it.store.transaction() as work:
                    letter = opened(RawMail("test", "1", data.replace(b"\n>From ", b"\nFrom ")))
                    await mail_arrived(work, letter, "test", self.it.clock.now(), POLICY.patience)
        await series_settled(self.it.store, self.it.clock, self.review, POLICY, self.it.figures)
        await self.settle()

    async def settle(self) -> None:
        """What was stirred is told, and the outbox is emptied."""
        await thread_stirred(self.it.store, self.it.clock, POLICY)
        while await delivery_due(self.it.store, self.it.clock, {"console": self.it.chat}, self.it.figures):
            pass

    async def say(self, words: str, who: str = "ada", thread: str = "") -> Page:
        """What somebody is answered."""
        doors = Doors(self.it.store, rules, self.look, policy=POLICY, now=self.it.clock.now)
        thread = thread or await self.thread()
        reply = await asked(Ask("console", CHANNEL, who, words, thread=thread), doors)
        assert reply is not None
        await self.settle()
        return reply.page

    async def look(self, series: Series) -> Review:
        return await self.review(series)

    async def thread(self) -> str:
        async with self.it.store.transaction() as work:
            (newest,) = await work.recent_series(1)
        return newest.thread

    async def seen(self) -> list[Page]:
        """The card of the thread and the replies below it, as they stand in the channel."""
        thread = await self.thread()
        async with self.it.store.transaction() as work:
            card = await work.card("console", CHANNEL, thread)
            slots = await work.told("console", CHANNEL, thread)
            wanted = [Delivery("", "console", CHANNEL, thread, Page(""), slot=slot) for slot in slots]
            standing = [card, *[await work.standing(one) for one in wanted]]
        return [one.page for one in standing if one]

    async def compare(self, name: str) -> None:
        """Does the thread stand as it was stored, as text and as Slack's blocks?"""
        compare(f"{name}.txt", await self.shown())
        blocks = [asdict(rendered(page)) for page in await self.seen()]
        compare(f"{name}.json", _TIME.sub("<time>", json.dumps(blocks, indent=1, ensure_ascii=False)) + "\n")

    async def shown(self) -> str:
        """The same as text, with buttons; times of the day are left out."""
        pages = [f"{render(page, 100)}{_buttons(page)}" for page in await self.seen()]
        return _TIME.sub("<time>", ("-" * 100 + "\n").join(pages))


def _buttons(page: Page) -> str:
    labels = [
        f"[{action.label}: {action.link or action.words}{' …' if action.asks else ''}]" for action in page.actions
    ]
    return "\n".join(labels) + "\n" if labels else ""


@asynccontextmanager
async def watch(folder: Path) -> AsyncIterator[Watch]:
    review = Reviewer(tree_for(str(EXAMPLES / "tree"), ""), known_functions())
    async with outbox(folder) as it:
        try:
            yield Watch(it, review)
        finally:
            review.close()


def compare(name: str, text: str) -> None:
    """Is the text the one that was stored?  With GRACEWATCH_GOLDEN=write it is stored, to be looked at in git."""
    file = GOLDEN / name
    if os.environ.get("GRACEWATCH_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8"), f"if this is meant, store it anew: GRACEWATCH_GOLDEN=write ({name})"
