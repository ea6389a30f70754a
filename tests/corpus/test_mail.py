"""Real mail: every one parses or is unreadable with a reason, and every series comes together."""

from __future__ import annotations

import gzip
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.mail import diff
from bot.mail import patch as patches
from bot.mail.assembly import Assembly, Letter, assemble
from bot.mail.parse import parse
from bot.model import RawMail, Series, SeriesState, SubjectKind, Unreadable

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of real mail is not at {CORPUS}"),
]


def single_mails() -> Iterator[RawMail]:
    for folder in ("messy", "groundtruth", "patches"):
        for file in sorted((CORPUS / folder).rglob("*.eml")):
            yield RawMail(folder, file.name, file.read_bytes())


def mailbox_mails(pattern: str) -> Iterator[RawMail]:
    for file in sorted((CORPUS / "mail").glob(pattern)):
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for number, text in enumerate(re.split(rb"(?m)^From [^\n]*\n", data)):
            if text.strip():
                yield RawMail(file.name, str(number), re.sub(rb"(?m)^>(>*From )", rb"\1", text))


def opened(mails: Iterator[RawMail]) -> tuple[list[Letter], list[Unreadable]]:
    letters: list[Letter] = []
    unreadable: list[Unreadable] = []
    for mail in mails:
        message = parse(mail)
        if isinstance(message, Unreadable):
            unreadable.append(message)
        else:
            letters.append((message, patches.of(message)))
    return letters, unreadable


def held(series: tuple[Series, ...]) -> set[str]:
    return {name for one in series for name in one.message_ids}


def sent_again(letter: Letter, series: tuple[Series, ...]) -> bool:
    """Is a patch that no series holds one that was sent twice, so that its twin or its successor is held?"""
    message, patch = letter
    assert patch is not None
    return any(
        other.index == patch.index
        and (other.message.subject.title == message.subject.title or other.files == patch.files)
        for one in series
        for other in one.patches
    )


@pytest.fixture(scope="module")
def epoch(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Letter], list[Unreadable]]:
    """The mails of a public-inbox epoch, oldest first, each the blob "m" of one commit, opened."""
    mirror = tmp_path_factory.mktemp("epoch") / "0.git"
    bundle = CORPUS / "feeds" / "kvm-ppc.0.bundle"
    subprocess.run(["git", "clone", "-q", "--mirror", str(bundle), str(mirror)], check=True, capture_output=True)
    git = ["git", "-C", str(mirror)]
    commits = subprocess.run([*git, "rev-list", "--reverse", "--all"], check=True, capture_output=True).stdout.split()
    asked = b"".join(commit + b":m\n" for commit in commits)
    told = subprocess.run([*git, "cat-file", "--batch"], input=asked, check=True, capture_output=True).stdout
    mails, at = [], 0
    for commit in commits:
        end = told.index(b"\n", at)
        words = told[at:end].split()
        assert words[1:2] == [b"blob"], words
        at = end + 1 + int(words[2])
        mails.append(RawMail("kvm-ppc", commit.decode(), told[end + 1 : at]))
        at += 1
    return opened(iter(mails))


def test_every_odd_mail_parses_or_says_why_not() -> None:
    letters, unreadable = opened(single_mails())
    assert len(letters) > 400
    assert all(one.reason and one.cure for one in unreadable)
    assert [one for one in unreadable if one.source.startswith(("groundtruth", "patches"))] == []
    assert {message.id for message, _ in letters if not message.id.strip()} == set()


def test_every_known_bug_and_mend_carries_a_patch_that_reverses() -> None:
    letters, _ = opened(mail for mail in single_mails() if mail.feed == "groundtruth")
    for message, patch in letters:
        if message.subject.kind is SubjectKind.PULL:
            continue
        assert patch is not None, message.subject.raw
        assert patch.files, message.subject.raw
        for file in patch.files:
            assert diff.reverse(diff.reverse(file)) == file or file.change == "copied"


def test_every_series_of_the_epoch_comes_together(epoch: tuple[list[Letter], list[Unreadable]]) -> None:
    letters, unreadable = epoch
    assert len(letters) == 3308
    assert unreadable == []
    series = assemble(letters, NOW)
    assert all(one.state is SeriesState.SETTLED for one in series)
    ids = held(series)
    lost = [letter for letter in letters if letter[1] is not None and letter[0].id not in ids]
    assert [message.id for message, _ in lost if not sent_again((message, _), series)] == []
    # A mailing list gets the parts that concern it of a series for the whole kernel; all else is complete.
    partial = {one.key for one in series if one.missing}
    assert len(partial) < len(series) / 5


def test_the_epoch_backwards_gives_the_same_series(epoch: tuple[list[Letter], list[Unreadable]]) -> None:
    letters, _ = epoch
    assert assemble(letters[::-1], NOW) == assemble(letters, NOW)


def test_the_epoch_as_it_came_gives_the_series_of_the_whole(epoch: tuple[list[Letter], list[Unreadable]]) -> None:
    """One mail after the other, as the service takes them, and not sorted beforehand."""
    letters, _ = epoch
    assembly = Assembly()
    for message, patch in letters:
        assembly.add(message, patch, message.sent_at or NOW, timedelta(hours=2))
    came = {(one.version, one.message_ids) for one in assembly.settled(NOW)}
    whole = {(one.version, one.message_ids) for one in assemble(letters, NOW)}
    assert len(came & whole) > 0.99 * len(whole)


def test_every_mail_of_a_list_that_moved_parses_and_comes_together() -> None:
    letters, unreadable = opened(mailbox_mails("kvmarm*/*.mbox.gz"))
    assert len(letters) > 10_000
    assert unreadable == []
    series = assemble(letters, NOW)
    ids = held(series)
    lost = [(message, patch) for message, patch in letters if patch is not None and message.id not in ids]
    assert [message.id for message, patch in lost if not sent_again((message, patch), series)] == []


def test_every_case_of_a_tracker_parses() -> None:
    letters, unreadable = opened(mailbox_mails("series-cases/**/*.mbox"))
    assert len(letters) > 60
    assert all(one.reason and one.cure for one in unreadable)
