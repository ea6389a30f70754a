"""Where one mail of a file ends and the next begins."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest

from bot.feeds.splitting import Piece, as_mail, is_mbox, mails

LORE = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"
PATCH = b"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
HEAD = b"From: a@example.org\nSubject: x\n\n"


def split(data: bytes, limit: int = 1 << 20) -> list[bytes | None]:
    return [piece.data for piece in mails(io.BytesIO(data), 0, limit)]


@pytest.mark.parametrize(
    "line",
    [
        b"From mboxrd@z Thu Jan  1 00:00:00 1970",
        b"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001",
        b"From mara at example.org  Mon Apr 20 11:40:11 2026",
        b"From mara@example.org Mon Apr 20 11:40 2026",
        b"From mara@example.org Mon Apr 20 11:40:11 +0200 2026",
        b"From mara@example.org Mon Apr 20 11:40:11 2026 +0200",
        b"From - Mon Apr 20 11:40:11 2026\r",
    ],
)
def test_the_from_lines_that_programs_write_separate(line: bytes) -> None:
    file = line + b"\n" + HEAD + b"one\n\n" + line + b"\n" + HEAD + b"two\n"
    assert is_mbox(file)
    assert split(file) == [HEAD + b"one\n", HEAD + b"two\n"]


@pytest.mark.parametrize(
    "trap",
    [
        b"From here on it gets difficult.\n",
        b"From: somebody else, as quoted\n",
        b"From the meeting at 10:30:00 in 2019\nwe have these minutes.\n",
        b"From mara@example.org Mon Apr 20 11:40:11 2026\nno header follows.\n",
        b"From " + b"x" * 100_000 + b" 10:30:00 2019\n",
    ],
)
def test_a_sentence_that_begins_with_from_does_not_separate(trap: bytes) -> None:
    mail = HEAD + b"text\n\n" + trap + b"more\n"
    assert split(LORE + mail + b"\n" + LORE + HEAD + b"two\n") == [mail, HEAD + b"two\n"]


def test_a_separator_needs_a_blank_line_before_it() -> None:
    mail = HEAD + b"text\n" + LORE + b"X: y\n"
    assert split(LORE + mail) == [mail]


def test_a_patch_that_is_attached_does_not_separate_in_an_mbox_of_mails() -> None:
    mail = HEAD + b"see below\n\n" + PATCH + b"From: b@example.org\nSubject: [PATCH] y\n\ntext\n"
    assert split(LORE + mail) == [mail]


def test_patches_in_a_row_as_format_patch_writes_them_are_separate() -> None:
    assert split(PATCH + HEAD + b"one\n\n" + PATCH + HEAD + b"two\n") == [HEAD + b"one\n", HEAD + b"two\n"]


def test_escaped_from_lines_lose_one_escape() -> None:
    assert split(LORE + HEAD + b">From here\n>>From there\n> From\n") == [HEAD + b"From here\n>From there\n> From\n"]


def test_a_lying_content_length_changes_nothing() -> None:
    first = b"Content-Length: 1000000\n" + HEAD + b"one\n"
    second = b"Content-Length: 0\n" + HEAD + b"two\n"
    assert split(LORE + first + b"\n" + LORE + second) == [first, second]


def test_only_the_line_before_a_separator_is_taken_from_a_mail() -> None:
    assert split(LORE + HEAD + b"one\n\n\n\n" + LORE + HEAD) == [HEAD + b"one\n\n\n", HEAD[:-1]]


def test_crlf_files_keep_their_line_ends() -> None:
    file = (LORE + HEAD + b"one\n\n" + LORE + HEAD + b"two\n").replace(b"\n", b"\r\n")
    assert split(file) == [(HEAD + b"one\n").replace(b"\n", b"\r\n"), (HEAD + b"two\n").replace(b"\n", b"\r\n")]


def test_a_mail_that_never_ends_its_line_is_cut_off_at_the_limit_and_the_next_one_comes() -> None:
    pieces = list(mails(io.BytesIO(LORE + HEAD + b"x" * 500_000 + b"\n\n" + LORE + HEAD + b"two\n"), 0, 1000))
    assert [piece.data for piece in pieces] == [None, HEAD + b"two\n"]
    assert pieces[0].end == pieces[1].start


def test_bytes_that_are_no_mail_are_one_mail_at_most() -> None:
    assert split(b"") == []
    assert split(b"\n\n\n") == []
    assert split(bytes(range(256))) == [bytes(range(256))]
    assert not is_mbox(bytes(range(256)))


def test_pieces_tile_the_file() -> None:
    file = LORE + HEAD + b"one\n\n" + LORE + HEAD + b"two\n\n" + LORE + HEAD + b"three\n"
    pieces: list[Piece] = list(mails(io.BytesIO(file)))
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == len(file)
    assert len({piece.witness for piece in pieces}) == 3
    assert not any(piece.headless for piece in pieces)


DIFF = b"diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n"


def test_a_bare_diff_becomes_a_mail_with_the_name_of_its_file() -> None:
    head, _, body = as_mail(DIFF, "fix\n\u202e.diff").partition(b"\n\n")
    assert body == DIFF
    assert b"Subject: [PATCH] fix??.diff" in head
    assert head.isascii()


def test_a_shown_commit_becomes_a_mail_with_its_subject() -> None:
    shown = b"commit 0123456789abcdef\nAuthor: a <a@example.org>\nDate:   now\n\n    KVM: Do it\n\n    Why.\n\n" + DIFF
    assert b"Subject: [PATCH] KVM: Do it\n" in as_mail(shown, "x")


def test_an_old_style_diff_becomes_a_mail_too() -> None:
    old = b"Index: linux/a.c\n" + b"=" * 67 + b"\n" + DIFF.partition(b"\n")[2]
    assert as_mail(old, "fix.diff").endswith(b"\n\n" + old)


def test_the_same_diff_is_the_same_mail_and_another_is_another() -> None:
    assert as_mail(DIFF, "x") == as_mail(DIFF, "x")
    ids = {as_mail(text, "x").partition(b"Message-ID: ")[2].splitlines()[0] for text in (DIFF, DIFF + b"\n")}
    assert len(ids) == 2


def test_a_mail_with_a_diff_stays_as_it_is() -> None:
    assert as_mail(HEAD + DIFF, "x") == HEAD + DIFF
    assert as_mail(b"neither mail nor diff\n", "x") == b"neither mail nor diff\n"


def test_a_huge_mail_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.mbox"
    with path.open("wb") as file:
        file.write(LORE + HEAD)
        for _ in range(40):
            file.write(b"a line of a huge mail\n\n" * 45_000)
        file.write(b"\n" + LORE + HEAD + b"two\n")
    tracemalloc.start()
    try:
        with path.open("rb") as stream:
            found = [piece.data for piece in mails(stream, 0, 1 << 20)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 40_000_000
    assert found == [None, HEAD + b"two\n"]
    assert peak < 8 << 20


@pytest.mark.parametrize("block", [1, 3, 700, 5000])
def test_where_the_file_is_cut_into_blocks_makes_no_difference(block: int) -> None:
    class Drips(io.BytesIO):
        """Gives little at a time, as an unpacked file does."""

        def read1(self, _: int | None = -1, /) -> bytes:
            return super().read1(block)

    mail = HEAD + b"text\n\nFrom here on\n\n" + b"x" * 900 + b"\n"
    file = (LORE + mail + b"\n") * 7 + LORE + HEAD + b"\r\n\r\n" + LORE + mail
    whole = list(mails(io.BytesIO(file)))
    assert len(whole) == 9
    assert list(mails(Drips(file))) == whole
