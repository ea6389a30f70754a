"""Settled series are reviewed once each; review and pages are saved together; one that fails holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.model import Finding, Level, Review, Series, SeriesState
from bot.ports import ReviewError
from bot.report.bar import Bar
from handlers.policy import Place, Policy
from handlers.series_settled import series_settled
from handlers.thread_stirred import thread_stirred
from tests.handlers.outbox import CHANNEL, Outbox, outbox
from tests.report.making import ERROR_PATH, RELEASE, review, series

ALL = (Place("console", CHANNEL),)


class Findings:
    """Answers each series with the findings that are listed for its key, or raises what is listed."""

    def __init__(self, by_key: Mapping[str, tuple[Finding, ...] | Exception]) -> None:
        self._by_key = by_key
        self.asked: list[str] = []

    async def __call__(self, series: Series) -> Review:
        self.asked.append(series.key)
        found = self._by_key.get(series.key, ())
        if isinstance(found, Exception):
            raise found
        return replace(review(series.version, *found), series=series.key)


async def save(it: Outbox, *known: Series) -> None:
    async with it.store.transaction() as transaction:
        for one in known:
            await transaction.save_series(one)


async def settle(it: Outbox, look: Findings, places: tuple[Place, ...] = ALL) -> tuple[Review, ...]:
    return await series_settled(it.store, it.clock, look, Policy(places), it.figures)


async def test_a_finding_is_saved_queued_and_told_once(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, series(1))
        look = Findings({"v1": (RELEASE, ERROR_PATH)})
        assert [len(found.findings) for found in await settle(it, look)] == [2]
        assert await settle(it, look) == ()
        assert look.asked == ["v1"]
        assert await it.deliver() == 2  # the card, and one reply for what goes wrong with one object
        assert it.chat.said.count("list_del() on kvm.devices, which is an RCU list") == 1
        counts = await it.counts()
        assert (counts["reviewed"], counts["findings"], counts["sent"]) == (1, 2, 2)
        assert it.figure("series_reviewed", context="tree") == 1
        assert it.figure("findings", rule="plain-del-on-rculist", level="error") == 1


async def test_nothing_found_is_saved_and_not_told(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, series(1))
        await settle(it, Findings({}))
        assert await it.deliver() == 0
        assert (await it.counts())["reviewed"] == 1


async def test_a_reroll_is_told_on_the_card_and_only_what_is_new_below_it(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        look = Findings({"v1": (RELEASE,), "v2": (RELEASE, ERROR_PATH), "v3": ()})
        for version in (1, 2, 3):
            await save(it, series(version))
            await settle(it, look)
            await it.deliver()
        for told in ("list_del() on kvm.devices, which is an RCU list", "error path frees a node"):
            assert it.chat.said.count(f"  │ error: {told}") == 1
        assert "fixed in v3: 2" in it.chat.said or "v3: 2 fixed" in it.chat.said
        assert it.chat.said.count("~ Fixed in v3") == 2


async def test_a_series_that_cannot_be_reviewed_is_set_aside_and_counted_and_the_others_go_on(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        first, second = series(1), replace(series(1), key="other", thread="thread-2")
        await save(it, first, second)
        look = Findings({"v1": ReviewError("the review took longer than 120 seconds"), "other": (RELEASE,)})
        await settle(it, look)
        assert look.asked == ["v1", "other"]
        async with it.store.transaction() as transaction:
            ((aside, times),) = await transaction.unreadable(10)
            failed = await transaction.review("v1")
        assert (aside.source, aside.reason, times) == ("series v1", "the review took longer than 120 seconds", 1)
        assert failed is not None
        assert failed.notes == ("not reviewed: the review took longer than 120 seconds",)
        assert it.figure("jobs_failed", job="review") == 1
        assert await settle(it, look) == ()
        assert await it.deliver() == 2


async def test_a_part_that_comes_during_the_review_makes_it_due_again(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        whole = series(1)
        later = replace(whole.patches[0].message, id="v1-2@example.org")
        grown = replace(whole, patches=(*whole.patches, replace(whole.patches[0], message=later)))
        await save(it, whole)

        class Slow(Findings):
            async def __call__(self, one: Series) -> Review:
                if not self.asked:
                    await save(it, grown)
                return await super().__call__(one)

        look = Slow({"v1": (RELEASE,)})
        await settle(it, look)
        assert look.asked == ["v1", "v1"]
        assert await it.deliver() == 2


async def test_a_crash_during_the_review_leaves_the_series_due(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, series(1))
        begun = asyncio.Event()

        async def endless(_: Series) -> Review:
            begun.set()
            return await asyncio.Event().wait() or Review("")

        work = asyncio.create_task(series_settled(it.store, it.clock, endless, Policy(ALL), it.figures))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert (await it.counts())["reviews"] == 0
        await settle(it, Findings({"v1": (RELEASE,)}))
        assert await it.deliver() == 2


async def test_a_series_with_missing_parts_is_reviewed_when_patience_is_over(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        soon = it.clock.now() + timedelta(hours=1)
        await save(it, replace(series(1), expected=2, state=SeriesState.OPEN, settles_at=soon))
        look = Findings({})
        assert await settle(it, look) == ()
        it.clock.leap()
        await settle(it, look)
        assert look.asked == ["v1"]


async def test_a_cover_alone_is_not_sent_to_review(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, replace(series(1), patches=()))
        look = Findings({})
        await settle(it, look)
        assert look.asked == []
        assert (await it.counts())["reviewed"] == 1


async def test_each_place_hears_what_is_over_its_bar(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, series(1))
        warning = replace(ERROR_PATH, level=Level.WARNING)
        places = (Place("console", "#all"), Place("console", "#errors", Bar(Level.ERROR, 0.5)))
        await settle(it, Findings({"v1": (RELEASE, warning)}), places)
        assert await it.deliver() == 4
        assert it.chat.said.count("list_del() on kvm.devices, which is an RCU list") == 2
        assert it.chat.said.count("error path frees a node") == 1


async def test_a_stopping_service_begins_no_review(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, series(1))
        look = Findings({})
        assert await series_settled(it.store, it.clock, look, ALL, it.figures, going_on=lambda: False) == ()
        assert look.asked == []


async def test_a_warning_that_was_mended_before_it_left_is_told_all_the_same(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        for version in (1, 2):
            await save(it, series(version))
        await settle(it, Findings({"v1": (RELEASE,), "v2": ()}))
        await it.deliver()
        assert "  │ error: list_del() on kvm.devices, which is an RCU list" in it.chat.said
        assert it.chat.said.index("~ v2: 1 fixed") < it.chat.said.index("~ Fixed in v2")


async def test_a_thread_that_cannot_be_told_is_reviewed_all_the_same_and_holds_up_no_other(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, series(1))
        broken = Policy((Place("console", CHANNEL, bar="no bar"),))  # type: ignore[arg-type]
        await series_settled(it.store, it.clock, Findings({"v1": (RELEASE,)}), broken, it.figures)
        assert (await it.counts())["reviewed"] == 1
        assert await thread_stirred(it.store, it.clock, broken) == 1
        assert await thread_stirred(it.store, it.clock, broken) == 0
        await save(it, series(2))
        await settle(it, Findings({"v2": (RELEASE,)}))
        assert await it.deliver() == 2
