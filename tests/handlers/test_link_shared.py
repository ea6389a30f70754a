"""Addresses that people paste: the verdict on what is known, silence on everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model import SeriesState
from bot.report.text import render
from handlers.link_shared import link_shared
from tests.commands.world import bot
from tests.report.making import review, series


@pytest.mark.parametrize(
    ("address", "verdict"),
    [
        ("https://lore.kernel.org/kvm/v1-1@example.org/", "1 finding: kvm.devices"),
        ("https://lore.kernel.org/r/v1-1@example.org", "1 finding: kvm.devices"),
        ("https://lore.kernel.org/kvm/v2-1@example.org/T/#u", "not reviewed yet"),
    ],
)
async def test_a_known_series_is_shown_with_its_verdict(tmp_path: Path, address: str, verdict: str) -> None:
    async with bot(tmp_path) as it:
        page = await link_shared(address, it.store)
        assert page is not None
        assert verdict in render(page, 200)
        assert page.headline.startswith("KVM: walk devices v")


@pytest.mark.parametrize(
    "address",
    ["https://lore.kernel.org/kvm/other@example.org/", "https://lore.kernel.org/kvm/", "https://lore.kernel.org", "x"],
)
async def test_what_no_feed_brought_is_passed_over_in_silence(tmp_path: Path, address: str) -> None:
    async with bot(tmp_path) as it:
        assert await link_shared(address, it.store) is None


async def test_what_people_said_is_part_of_the_verdict(tmp_path: Path) -> None:
    async with bot(tmp_path) as it:
        await it.say("fp aaaaaaaa")
        page = await link_shared("https://lore.kernel.org/r/v1-1@example.org", it.store)
        assert page is not None
        assert page.level is None
        assert "nothing found; 1 dismissed: kvm.devices" in render(page, 200)


async def test_of_an_old_version_the_newest_is_told(tmp_path: Path) -> None:
    async with bot(tmp_path) as it:
        async with it.store.transaction() as work:
            await work.save_series(series(2, SeriesState.REVIEWED))
            await work.add_review(review(2))
        page = await link_shared("https://lore.kernel.org/r/v1-1@example.org", it.store)
        assert page is not None
        assert "v2, which is newer: nothing found" in render(page, 200)
