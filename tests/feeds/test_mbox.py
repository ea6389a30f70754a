"""An mbox is somebody else's file: it grows, is cut, is replaced, and is read while it is written."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest

from bot.feeds.detect import feed_for
from bot.feeds.files import Files
from bot.feeds.mbox import Mbox
from bot.model import RawMail, Unreadable
from bot.ports import Feed, FeedError

LINE = "From mboxrd@z Thu Jan  1 00:00:00 1970\n"


def mail(number: int) -> str:
    return f"{LINE}From: a@example.org\nSubject: mail {number}\nMessage-ID: <{number}@example.org>\n\ntext\n\n"


async def read(feed: Feed, position: str = "") -> tuple[list[str], list[str], str]:
    """The subjects that came, what was said beside them, and the last position."""
    subjects, said, last = [], [], position
    async for item in feed.since(position):
        last = item.position or last
        if isinstance(item, RawMail):
            subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
        else:
            said.append(item.reason)
    return subjects, said, last


async def gather(feed: Feed, seen: list[RawMail | Unreadable]) -> None:
    async for item in feed.since(""):
        seen.append(item)  # noqa: PERF401  what came before the fault is asked for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kvm.mbox"
    path.write_text(mail(1) + mail(2))
    return path


async def test_a_file_that_was_replaced_is_read_again(path: Path) -> None:
    _, _, position = await read(Mbox(path))
    path.write_text(mail(3) + mail(4) + mail(5))
    subjects, said, position = await read(Mbox(path), position)
    assert subjects == ["mail 3", "mail 4", "mail 5"]
    assert "was replaced or cut" in said[0]
    assert (await read(Mbox(path), position))[:2] == ([], [])


async def test_a_file_that_was_cut_is_read_again(path: Path) -> None:
    _, _, position = await read(Mbox(path))
    path.write_text(mail(1))
    subjects, said, _ = await read(Mbox(path), position)
    assert subjects == ["mail 1"]
    assert "was replaced or cut" in said[0]


async def test_a_file_that_is_rotated_and_empty_waits_for_its_mail(path: Path) -> None:
    _, _, position = await read(Mbox(path))
    path.write_text("")
    assert (await read(Mbox(path), position))[0] == []
    path.write_text(mail(3))
    assert (await read(Mbox(path), position))[0] == ["mail 3"]


async def test_a_mail_that_was_read_half_is_said_so_and_the_next_one_comes(path: Path) -> None:
    whole = mail(3)
    with path.open("a") as file:
        file.write(whole[:-8])
    _, _, position = await read(Mbox(path))
    with path.open("a") as file:
        file.write(whole[-8:] + mail(4))
    subjects, said, _ = await read(Mbox(path), position)
    assert subjects == ["mail 4"]
    assert "still being written" in said[0]


async def test_a_gzip_file_that_is_cut_short_gives_its_mails_and_then_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "kvm.mbox.gz"
    whole = gzip.compress("".join(mail(number) for number in range(500)).encode())
    path.write_bytes(whole[: len(whole) // 2])
    seen: list[RawMail | Unreadable] = []
    with pytest.raises(FeedError, match=r"kvm.mbox.gz: its packed data is damaged or cut short.*fetch the file again"):
        await gather(Mbox(path), seen)
    assert len(seen) > 10
    assert all(isinstance(item, RawMail) for item in seen)


async def test_something_else_is_not_taken_for_an_mbox(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x7fELF" + bytes(1000))
    with pytest.raises(FeedError, match=r"does not begin with a From line"):
        await read(Mbox(tmp_path / "x"))


async def test_files_may_be_mails_diffs_and_mboxes(path: Path, tmp_path: Path) -> None:
    one, diff, empty = tmp_path / "one.eml", tmp_path / "fix.diff", tmp_path / "empty"
    one.write_text(mail(7).removeprefix(LINE))
    diff.write_text("diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n")
    empty.write_text("")
    files = Files([str(place) for place in (one, path, diff, empty)])
    subjects, said, _ = await read(files)
    assert subjects == ["mail 7", "mail 1", "mail 2", "[PATCH] fix.diff"]
    assert said == ["it is empty"]


async def test_one_missing_file_is_said_before_any_is_read(path: Path, tmp_path: Path) -> None:
    files = Files((str(path), str(tmp_path / "typo.eml")))
    seen: list[RawMail | Unreadable] = []
    with pytest.raises(FeedError, match=r"typo.eml: there is no such file; check the path"):
        await gather(files, seen)
    assert seen == []


async def test_a_directory_among_files_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="is a directory; name the files in it"):
        await read(Files((str(tmp_path),)))


@pytest.mark.parametrize("path", ["https://lore.kernel.org/kvm/", "git://example.org/kvm"])
def test_an_address_is_no_place_yet_and_says_what_to_do(path: str) -> None:
    with pytest.raises(FeedError, match="git clone --mirror"):
        feed_for(path)


async def test_a_kind_that_is_named_may_wait_for_its_place(tmp_path: Path) -> None:
    feed = feed_for(str(tmp_path / "later.mbox"), "later", "mbox")
    with pytest.raises(FeedError, match="there is no such file"):
        await read(feed)
    (tmp_path / "later.mbox").write_text(mail(1))
    assert (await read(feed))[0] == ["mail 1"]
    assert feed.name == "later"


def packed(text: str, **how: int) -> bytes:
    return lzma.compress(text.encode(), **how)  # type: ignore[arg-type]


async def test_xz_files_that_were_joined_are_read_to_their_end(tmp_path: Path) -> None:
    path = tmp_path / "kvm.mbox.xz"
    path.write_bytes(packed(mail(1)) + packed(mail(2)) + b"\0" * 4)
    assert (await read(Mbox(path)))[:2] == (["mail 1", "mail 2"], [])


@pytest.mark.parametrize("damage", [slice(0, -20), slice(0, 40)])
async def test_a_damaged_xz_file_is_said_so(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "kvm.mbox.xz"
    path.write_bytes(packed("".join(mail(number) for number in range(50)))[damage])
    with pytest.raises(FeedError, match=r"kvm.mbox.xz: its packed data is damaged or cut short"):
        await read(Mbox(path))


async def test_an_xz_file_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kvm.mbox.xz"
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 20}]
    path.write_bytes(lzma.compress(mail(1).encode(), filters=filters))
    with pytest.raises(FeedError, match=r"its packed data is damaged.*[Mm]emory"):
        await read(Mbox(path))


async def test_an_xz_mail_that_unpacks_without_end_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "kvm.mbox.xz"
    path.write_bytes(packed(mail(1)) + lzma.compress(mail(2).encode() + b"\0" * (64 << 20), preset=0) + packed(mail(3)))
    subjects, said, _ = await read(Mbox(path))
    assert subjects[0] == "mail 1"
    assert "more than the" in said[0]
