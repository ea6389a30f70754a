"""Addresses that people paste: the verdict on what is known, silence on everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.report.text import render
from handlers.link_shared import link_shared
from tests.commands.world import bot


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
