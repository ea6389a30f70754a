"""Verdicts of people: shown where the finding was told, by whoever spoke last, and never lost or taken twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from bot.model import Ask, Delivery, Finding, Page, Person, Review, Series, Triage, Verdict
from bot.report.text import render
from handlers.asked import asked
from handlers.doors import Doors
from handlers.policy import Place, Policy
from tests.handlers.outbox import CHANNEL, THREAD, Outbox, outbox
from tests.handlers.test_series_settled import Findings, save, settle
from tests.report.making import ERROR_PATH, OTHER, RELEASE, review, series

POLICY = Policy((Place("console", CHANNEL),))
NAME = RELEASE.fingerprint[:8]


@dataclass
class Team:
    """People in a channel."""

    it: Outbox
    doors: Doors

    async def say(self, words: str, who: str = "U1") -> str:
        """What the bot answers."""
        reply = await asked(Ask("console", CHANNEL, who, words, thread=THREAD), self.doors)
        assert reply is not None
        return render(reply.page, 300)

    async def come(self, version: int, *findings: Finding) -> None:
        """A version arrives, is reviewed and told."""
        one = series(version)
        await save(self.it, one)
        await settle(self.it, Findings({one.key: findings}))
        await self.it.deliver()

    async def message(self, finding: Finding = RELEASE) -> Page:
        """The message about a finding, as it stands in the channel."""
        await self.it.deliver()
        slot = Delivery("", "console", CHANNEL, THREAD, Page(""), slot=f"reply/{finding.fingerprint}")
        async with self.it.store.transaction() as work:
            standing = await work.standing(slot)
        assert standing is not None
        return standing.page


@asynccontextmanager
async def team(folder: Path) -> AsyncIterator[Team]:
    async def look(one: Series) -> Review:
        return review(one.version)

    async with outbox(folder) as it:
        yield Team(it, Doors(it.store, lambda: (), look, policy=POLICY, now=it.clock.now))


async def test_a_verdict_is_shown_on_the_message_and_undone_again(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE)
        before = await they.message()
        assert "Acknowledged: list_del() on kvm.devices" in await they.say(f"ack {NAME} v2 will have it")
        after = await they.message()
        assert "Acknowledged by @U1" in render(after, 300)
        assert "v2 will have it" in render(after, 300)
        (undo,) = (action.words for action in after.actions if action.label == "Reopen")
        assert "Open again" in await they.say(undo, "U2")
        assert await they.message() == before


async def test_in_a_thread_with_one_finding_it_need_not_be_named(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE, ERROR_PATH)
        assert "Noted as a false positive" in await they.say("fp the list is private there")
        assert "the list is private there" in render(await they.message(), 300)


async def test_with_two_objects_it_must_be_named(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE, OTHER)
        assert "Which finding?" in await they.say("ack")
        assert "aaaaaaaa (kvm.devices), cccccccc (kvm.buses)" in await they.say("ack")
        assert "There is no finding called deadbeef" in await they.say("ack deadbeef")


async def test_a_click_that_comes_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE)
        answers = [await they.say(f"ack {NAME}"), await they.say(f"ack {NAME}")]
        assert "Acknowledged" in answers[0]
        assert "You said so before; nothing changes" in answers[1]
        assert await they.it.deliver() == 1
        async with they.it.store.transaction() as work:
            assert [deed.outcome for deed in await work.deeds(10)] == [f"ack {NAME}"]


async def test_of_two_people_at_once_the_last_counts_and_both_are_on_record(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE)
        answers = await asyncio.gather(they.say(f"ack {NAME}", "U1"), they.say(f"fp {NAME} no readers", "U2"))
        assert any("Until now: " in answer for answer in answers)
        async with they.it.store.transaction() as work:
            deeds = await work.deeds(10)
            (verdict,) = (await work.verdicts([RELEASE.fingerprint])).values()
        assert {deed.who.id for deed in deeds} == {"U1", "U2"}
        assert verdict.who == deeds[0].who
        assert f"@{verdict.who.id}, " in render(await they.message(), 300)


async def test_a_dismissed_finding_stays_away_in_later_versions_and_other_threads(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE)
        await they.say(f"fp {NAME}")
        await they.come(2, RELEASE)
        elsewhere = replace(series(1), key="other", thread="thread-2")
        await save(they.it, elsewhere)
        await settle(they.it, Findings({"other": (RELEASE,)}))
        await they.it.deliver()
        assert they.it.chat.said.count("│ error: list_del() on kvm.devices") == 1
        await they.say(f"reopen {NAME}")
        await they.it.deliver()
        # The other series was kept quiet by the verdict alone, so now it is told.
        assert they.it.chat.said.count("│ error: list_del() on kvm.devices") == 2


async def test_a_rule_that_people_find_wrong_falls_silent_says_so_and_speaks_again(tmp_path: Path) -> None:
    async with team(tmp_path) as they:
        await they.come(1, RELEASE)
        async with they.it.store.transaction() as work:
            for number in range(9):
                verdict = Verdict.FALSE_POSITIVE if number < 2 else Verdict.ACK
                await work.set_verdict(_verdict(f"{number}", verdict))
        assert "70% useful of 10 (40% to 89%)" in await they.say(f"fp {NAME}")
        await they.it.deliver()
        assert "plain-del-on-rculist speaks in the digest alone from now on" in they.it.chat.said
        for number in range(2):
            async with they.it.store.transaction() as work:
                await work.set_verdict(_verdict(f"{number}", Verdict.ACK))
        await they.say(f"ack {NAME}")
        await they.it.deliver()
        assert "~ plain-del-on-rculist speaks in threads again" in they.it.chat.said


def _verdict(fingerprint: str, verdict: Verdict) -> Triage:
    at = series(1).settles_at + timedelta(minutes=int(fingerprint))
    return Triage(fingerprint, RELEASE.rule, verdict, Person("console", "U3"), at)
