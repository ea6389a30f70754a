"""Real archives are read to their last mail, whichever way they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.feeds.detect import feed_for
from bot.model import RawMail

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus is not beside the repository"),
]


async def test_every_mail_of_the_kvm_ppc_epoch_comes_once() -> None:
    items = [item async for item in feed_for(str(CORPUS / "feeds" / "kvm-ppc.0.bundle")).since("")]
    assert len(items) == 3308
    assert all(isinstance(item, RawMail) for item in items)
    assert len({item.position for item in items}) == 3308


@pytest.mark.parametrize(
    ("folder", "mails"), [("kvmarm.lists.cs.columbia.edu", 10423), ("kvm-ppc.vger.kernel.org", 3308)]
)
async def test_every_mail_of_a_folder_of_packed_mboxes_comes(folder: str, mails: int) -> None:
    feed = feed_for(str(CORPUS / "mail" / folder))
    assert await feed.count("") == mails
    items = [item async for item in feed.since("")]
    assert len(items) == mails
    assert all(isinstance(item, RawMail) and b"\nMessage-I" in item.data[:100_000] for item in items)


async def test_every_odd_mail_comes() -> None:
    items = [item async for item in feed_for(str(CORPUS / "messy")).since("")]
    assert len(items) == len([path for path in (CORPUS / "messy").rglob("*") if path.is_file()])
    assert all(isinstance(item, RawMail) for item in items)
