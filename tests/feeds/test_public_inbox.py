"""Archives change under their readers: mail is taken away, history is rewritten, epochs begin and end, disks rot."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bot.feeds.detect import feed_for
from bot.feeds.public_inbox import PublicInbox
from bot.model import RawMail, Unreadable
from bot.ports import Feed, FeedError

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from archive_places import ArchivePlace
from feed_places import GitPlace, mail


@pytest.fixture
def archive(tmp_path: Path) -> GitPlace:
    return GitPlace(tmp_path)


async def read(feed: Feed, position: str = "") -> tuple[list[str], list[str], str]:
    """The subjects that came, what was said beside them, and the last position."""
    subjects, said, last = [], [], position
    async for item in feed.since(position):
        last = item.position or last
        if isinstance(item, Unreadable):
            said.append(item.reason)
        else:
            subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
    return subjects, said, last


async def test_a_deletion_is_passed_over(archive: GitPlace) -> None:
    archive.put(mail(1))
    archive.commit("d", mail(1))
    archive.put(mail(2))
    assert (await read(archive.feed()))[:2] == (["mail 1", "mail 2"], [])


async def test_a_new_epoch_is_followed(archive: GitPlace) -> None:
    archive.put(mail(1))
    _, _, position = await read(archive.feed())
    for number in range(1, 12):
        archive.epoch(number)
        archive.put(mail(number + 1))
    assert await archive.feed().count(position) == 11
    subjects, said, position = await read(archive.feed(), position)
    assert subjects == [f"mail {number}" for number in range(2, 13)]
    assert not said
    assert position.startswith("11:")


async def test_an_empty_epoch_is_no_fault(archive: GitPlace) -> None:
    archive.put(mail(1))
    archive.epoch(1)
    assert (await read(archive.feed()))[:2] == (["mail 1"], [])


async def test_a_rewritten_history_is_read_again_from_where_it_parted(archive: GitPlace) -> None:
    for number in (1, 2):
        archive.put(mail(number))
    kept = archive.git("rev-parse", "HEAD")
    archive.put(mail(3))
    _, _, position = await read(archive.feed())
    archive.git("update-ref", "HEAD", kept)
    archive.put(mail(4))
    subjects, said, position = await read(archive.feed(), position)
    assert subjects == ["mail 4"]
    assert "epoch 0 was rewritten" in said[0]
    assert (await read(archive.feed(), position))[:2] == ([], [])


async def test_a_history_that_forgot_our_commit_is_read_again_from_its_beginning(archive: GitPlace) -> None:
    archive.put(mail(1))
    _, _, position = await read(archive.feed())
    archive.destroy()
    archive.epoch(0)
    archive.put(mail(2))
    subjects, said, position = await read(archive.feed(), position)
    assert subjects == ["mail 2"]
    assert "was rewritten" in said[0]
    assert (await read(archive.feed(), position))[:2] == ([], [])


async def test_an_epoch_that_is_gone_is_said_and_the_others_are_read(archive: GitPlace) -> None:
    archive.put(mail(1))
    archive.epoch(1)
    archive.put(mail(2))
    _, _, position = await read(archive.feed())
    shutil.rmtree(archive.git_dir)
    subjects, said, _ = await read(archive.feed(), position)
    assert subjects == ["mail 1"]
    assert "epoch 1 is gone" in said[0]


async def test_a_mirror_of_the_later_epochs_alone_is_enough(archive: GitPlace) -> None:
    archive.put(mail(1))
    first = archive.git_dir
    archive.epoch(1)
    archive.put(mail(2))
    shutil.rmtree(first)
    assert (await read(archive.feed()))[:2] == (["mail 2"], [])


async def test_a_rotten_object_costs_its_own_mail_alone(archive: GitPlace) -> None:
    for number in (1, 2, 3):
        archive.put(mail(number))
    blob = archive.git("rev-parse", "HEAD~1:m")
    rotten = archive.git_dir / "objects" / blob[:2] / blob[2:]
    rotten.chmod(0o644)
    rotten.write_bytes(b"rot")
    subjects, said, position = await read(archive.feed())
    assert subjects == ["mail 1", "mail 3"]
    assert len(said) == 1
    assert "git cannot read it: its blob is damaged" in said[0]
    assert (await read(archive.feed(), position))[:2] == ([], [])


async def test_a_rotten_place_in_a_pack_costs_its_own_mail_alone(archive: GitPlace) -> None:
    for number in (1, 2, 3):
        archive.put(mail(number, f"{number}\n" * 400))
    archive.git("-c", "pack.depth=0", "repack", "-q", "-a", "-d", "-f")
    (pack,) = archive.git_dir.glob("objects/pack/*.pack")
    index = archive.git("show-index", stdin=pack.with_suffix(".idx").read_bytes())
    blob = archive.git("rev-parse", "HEAD~1:m")
    offset = next(int(line.split()[0]) for line in index.splitlines() if blob in line)
    data = bytearray(pack.read_bytes())
    data[offset + 10 : offset + 20] = b"rot rot ro"
    pack.chmod(0o644)
    pack.write_bytes(data)
    subjects, said, position = await read(archive.feed())
    assert subjects == ["mail 1", "mail 3"]
    assert len(said) == 1
    assert (await read(archive.feed(), position))[:2] == ([], [])


async def test_a_rotten_disk_is_a_feed_error_and_not_a_heap_of_lost_mail(archive: GitPlace) -> None:
    for number in range(1, 10):
        archive.put(mail(number))
        blob = archive.git("rev-parse", "HEAD:m")
        rotten = archive.git_dir / "objects" / blob[:2] / blob[2:]
        rotten.chmod(0o644)
        rotten.write_bytes(b"rot")
    with pytest.raises(FeedError, match=r"kvm: epoch 0 cannot be read: 5 mails in a row.*git fsck"):
        await read(archive.feed())


async def test_a_bundle_a_clone_and_a_single_epoch_are_read(archive: GitPlace, tmp_path: Path) -> None:
    for number in (1, 2):
        archive.put(mail(number))
    bundle, clone = tmp_path / "kvm.bundle", tmp_path / "clone"
    archive.git("bundle", "create", "-q", str(bundle), "HEAD", "--all")
    archive.git("clone", "-q", str(archive.git_dir), str(clone))
    for path in (bundle, clone, archive.git_dir):
        feed = feed_for(str(path))
        assert isinstance(feed, PublicInbox)
        assert (await read(feed))[0] == ["mail 1", "mail 2"]


async def test_a_damaged_bundle_is_a_feed_error(archive: GitPlace, tmp_path: Path) -> None:
    archive.put(mail(1))
    bundle = tmp_path / "kvm.bundle"
    archive.git("bundle", "create", "-q", str(bundle), "HEAD", "--all")
    bundle.write_bytes(bundle.read_bytes()[:-30])
    with pytest.raises(FeedError, match=r"kvm.bundle cannot be unpacked: .*mirror the archive again"):
        await read(feed_for(str(bundle)))


async def test_another_repository_is_not_taken_for_an_archive(archive: GitPlace) -> None:
    archive.commit("main.c", b"int main(void);\n")
    with pytest.raises(FeedError, match=r"no epoch of a public-inbox v2 archive.*public-inbox-convert"):
        await read(PublicInbox(archive.git_dir))


async def test_a_folder_without_an_archive_is_a_feed_error(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match=r"is no public-inbox archive"):
        await read(PublicInbox(tmp_path))


@pytest.mark.archive
@pytest.mark.skipif(not shutil.which("public-inbox-mda"), reason="public-inbox is not installed")
async def test_a_real_archive_that_removes_and_then_purges_a_mail_loses_no_other(tmp_path: Path) -> None:
    archive = ArchivePlace(tmp_path)
    archive.put_many(mail(number) for number in (1, 2, 3))
    subjects, _, position = await read(archive.feed())
    assert subjects == ["mail 1", "mail 2", "mail 3"]

    archive.run("public-inbox-learn", "rm", stdin=mail(3))
    archive.put(mail(4))
    subjects, said, position = await read(archive.feed(), position)
    assert (subjects, said) == (["mail 4"], [])

    archive.run("public-inbox-purge", str(archive.inbox), stdin=mail(2))
    archive.put(mail(5))
    subjects, said, position = await read(archive.feed(), position)
    assert subjects[-2:] == ["mail 4", "mail 5"]
    assert "mail 2" not in subjects
    assert "was rewritten" in said[0]
    assert (await read(archive.feed(), position))[:2] == ([], [])


def test_positions_name_epoch_and_commit(archive: GitPlace) -> None:
    archive.put(mail(1))
    tip = archive.git("rev-parse", "HEAD")
    items = list(PublicInbox(archive.path)._read(""))
    assert [item.position for item in items if isinstance(item, RawMail)] == [f"0:{tip}"]
