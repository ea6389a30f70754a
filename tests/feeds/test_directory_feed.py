"""A directory of mail is read by name, and what comes later comes last, whatever it is called."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bot.feeds.directory import Directory
from bot.model import RawMail
from bot.ports import Feed

EXAMPLES = Path(__file__).parents[2] / "examples"
LINE = "From mboxrd@z Thu Jan  1 00:00:00 1970\n"


def mail(number: int) -> str:
    return f"From: a@example.org\nSubject: mail {number}\nMessage-ID: <{number}@example.org>\n\ntext\n"


async def read(feed: Feed, position: str = "") -> tuple[list[str], list[str], str]:
    """The subjects that came, what was said beside them, and the last position."""
    subjects, said, last = [], [], position
    async for item in feed.since(position):
        last = item.position or last
        if isinstance(item, RawMail):
            subjects.append(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
        else:
            said.append(f"{item.source}: {item.reason}")
    return subjects, said, last


async def test_the_examples_tell_v1_before_v3() -> None:
    subjects, said, _ = await read(Directory(EXAMPLES / "kvm"))
    assert [subject.partition("]")[0] for subject in subjects] == [
        "[PATCH 0/2",
        "[PATCH 1/2",
        "[PATCH 2/2",
        "[PATCH v3 0/2",
        "[PATCH v3 1/2",
        "[PATCH v3 2/2",
    ]
    assert said == []


async def test_a_file_with_an_earlier_name_comes_when_it_comes(tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_text(mail(1))
    _, _, position = await read(Directory(tmp_path))
    (tmp_path / "a.eml").write_text(mail(2))
    (tmp_path / "z.eml").write_text(mail(3))
    assert (await read(Directory(tmp_path), position))[0] == ["mail 2", "mail 3"]


async def test_many_files_of_one_moment_come_once_each(tmp_path: Path) -> None:
    position = ""
    seen: list[str] = []
    for batch in range(5):
        for number in range(40):
            (tmp_path / f"{(number * 7) % 40:02d}-{batch}.eml").write_text(mail(batch * 40 + number))
        subjects, _, position = await read(Directory(tmp_path), position)
        seen += subjects
    assert sorted(seen) == sorted(f"mail {number}" for number in range(200))


async def test_a_position_in_the_middle_goes_on_there_although_more_came(tmp_path: Path) -> None:
    for name in "bdf":
        (tmp_path / f"{name}.eml").write_text(mail(ord(name)))
    items = [item async for item in Directory(tmp_path).since("")]
    (tmp_path / "c.eml").write_text(mail(ord("c")))
    subjects, _, _ = await read(Directory(tmp_path), items[1].position)
    assert set(subjects) == {f"mail {ord('c')}", f"mail {ord('f')}"}


async def test_subdirectories_are_read_and_what_is_no_mail_is_not(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026" / "04.mbox.gz").write_bytes(gzip.compress(f"{LINE}{mail(1)}\n{LINE}{mail(2)}".encode()))
    (tmp_path / "README.md").write_text("no mail\n")
    (tmp_path / ".hidden.eml").write_text(mail(3))
    (tmp_path / "loop").symlink_to(tmp_path)
    assert (await read(Directory(tmp_path)))[:2] == (["mail 1", "mail 2"], [])


async def test_a_damaged_file_costs_its_own_mail_alone(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_text(mail(1))
    (tmp_path / "b.mbox.gz").write_bytes(b"\x1f\x8bno gzip at all")
    (tmp_path / "c.eml").write_text(mail(2))
    subjects, said, position = await read(Directory(tmp_path))
    assert subjects == ["mail 1", "mail 2"]
    assert len(said) == 1
    assert "b.mbox.gz" in said[0]
    assert (await read(Directory(tmp_path), position))[:2] == ([], [])
    (tmp_path / "b.mbox.gz").write_bytes(gzip.compress(f"{LINE}{mail(3)}".encode()))
    assert (await read(Directory(tmp_path), position))[:2] == (["mail 3"], [])


async def test_an_archive_that_is_packed_anew_gives_what_is_new_in_it(tmp_path: Path) -> None:
    path = tmp_path / "04.mbox.gz"
    text = f"{LINE}{mail(1)}\n"
    path.write_bytes(gzip.compress(text.encode()))
    _, _, position = await read(Directory(tmp_path))
    path.write_bytes(gzip.compress((text + f"{LINE}{mail(2)}\n").encode()))
    assert (await read(Directory(tmp_path), position))[:2] == (["mail 2"], [])


@pytest.mark.parametrize("position", ["", "[]", "{}", "null", "[1,2,3,4]", '[1,2,"x",{"a":1}]', "[1,2"])
async def test_a_position_that_makes_no_sense_is_the_beginning(tmp_path: Path, position: str) -> None:
    (tmp_path / "a.eml").write_text(mail(1))
    assert (await read(Directory(tmp_path), position))[0] == ["mail 1"]
