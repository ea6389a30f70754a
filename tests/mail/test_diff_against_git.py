"""The diff reader against the tools that write and read diffs: real git, and the unidiff library."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unidiff import PatchSet

from bot.mail import diff
from bot.model import FileChange, FileDiff


def git(folder: Path, *words: str) -> bytes:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=folder,
        check=True,
        capture_output=True,
    ).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository whose last commit does everything that a commit can do to a file."""
    git(tmp_path, "init", "-q")
    (tmp_path / "kept.c").write_text("".join(f"line {n}\n" for n in range(60)))
    (tmp_path / "moved.c").write_text("".join(f"move {n}\n" for n in range(60)))
    (tmp_path / "source.c").write_text("".join(f"copy {n}\n" for n in range(60)))
    (tmp_path / "gone.c").write_text("gone\n")
    (tmp_path / "tool.sh").write_text("#!/bin/sh\n")
    (tmp_path / "with blank.c").write_text("a\n")
    (tmp_path / "café.c").write_text("a\n")
    (tmp_path / "dos.c").write_bytes(b"one\r\ntwo\r\n")
    (tmp_path / "logo.bin").write_bytes(bytes(range(256)))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "before")
    kept = (tmp_path / "kept.c").read_text()
    (tmp_path / "kept.c").write_text(kept.replace("line 5\n", "-- five\n").replace("line 50\n", "").rstrip("\n"))
    (tmp_path / "moved.c").rename(tmp_path / "away.c")
    (tmp_path / "away.c").write_text((tmp_path / "away.c").read_text() + "more\n")
    (tmp_path / "source.c").write_text((tmp_path / "source.c").read_text() + "own\n")
    (tmp_path / "copied.c").write_text("".join(f"copy {n}\n" for n in range(60)))
    (tmp_path / "gone.c").unlink()
    (tmp_path / "tool.sh").chmod(0o755)
    (tmp_path / "with blank.c").write_text("b\n")
    (tmp_path / "café.c").write_text("b\n")
    (tmp_path / "dos.c").write_bytes(b"one\r\n2\r\n")
    (tmp_path / "logo.bin").write_bytes(bytes(range(255)))
    (tmp_path / "empty.c").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "after")
    return tmp_path


def shape(file: FileDiff) -> tuple[str | None, str | None, FileChange, int, int]:
    return file.old_path, file.new_path, file.change, file.added, file.removed


@pytest.mark.parametrize("option", ["--binary", "--patience", "--no-prefix", "--full-index", "--unified=0"])
def test_what_git_writes_is_what_is_read(tree: Path, option: str) -> None:
    text = git(tree, "diff", "-M", "-C", option, "HEAD~1", "HEAD").decode("utf-8", "surrogateescape")
    files, problems = diff.read(text)
    assert problems == ()
    assert sorted(shape(file) for file in files if file.new_path and file.old_path) == sorted(
        [
            ("kept.c", "kept.c", FileChange.MODIFIED, 2, 3),
            ("moved.c", "away.c", FileChange.RENAMED, 1, 0),
            ("source.c", "copied.c", FileChange.COPIED, 0, 0),
            ("source.c", "source.c", FileChange.MODIFIED, 1, 0),
            ("tool.sh", "tool.sh", FileChange.MODIFIED, 0, 0),
            ("with blank.c", "with blank.c", FileChange.MODIFIED, 1, 1),
            ("café.c", "café.c", FileChange.MODIFIED, 1, 1),
            ("dos.c", "dos.c", FileChange.MODIFIED, 1, 1),
            ("logo.bin", "logo.bin", FileChange.MODIFIED, 0, 0),
        ]
    )
    assert [file.old_path for file in files if file.new_path is None] == ["gone.c"]
    assert [file.new_path for file in files if file.old_path is None] == ["empty.c"]
    assert [file.path for file in files if file.binary] == ["logo.bin"]
    dos = next(file for file in files if file.path == "dos.c")
    assert "-two\r" in dos.hunks[0].lines


def test_reversing_is_what_git_calls_reverse(tree: Path) -> None:
    there = git(tree, "diff", "-M", "HEAD~1", "HEAD").decode("utf-8", "surrogateescape")
    back = git(tree, "diff", "-M", "-R", "HEAD~1", "HEAD").decode("utf-8", "surrogateescape")
    # git names the sides of a reversed diff b/ and a/
    mine = {diff.reverse(file) for file in diff.read(there)[0]}
    assert mine == set(diff.read(back)[0])


lines = st.lists(st.sampled_from(["a", "b", "-- ", "--- x", "+++ y", "@@ -1 +1 @@", "", "\tint x;"]), max_size=12)


@given(lines, lines)
def test_any_two_texts_are_told_apart_as_unidiff_tells_them(before: list[str], after: list[str]) -> None:
    made = list(difflib.unified_diff(before, after, "a/f.c", "b/f.c", lineterm=""))
    if not made:
        return
    text = "diff --git a/f.c b/f.c\nindex 1111111..2222222 100644\n" + "\n".join(made) + "\n"
    files, problems = diff.read(text + "-- \n2.44.0\n")
    assert problems == ()
    (mine,) = files
    (theirs,) = PatchSet(text)
    assert (mine.path, mine.added, mine.removed) == (theirs.path, theirs.added, theirs.removed)
    old = [line[1:] for hunk in mine.hunks for line in hunk.lines if line[0] in " -"]
    new = [line[1:] for hunk in mine.hunks for line in hunk.lines if line[0] in " +"]
    assert [line for hunk in theirs for line in (source[1:].rstrip("\n") for source in hunk.source)] == old
    assert [line for hunk in theirs for line in (target[1:].rstrip("\n") for target in hunk.target)] == new


@given(st.text(alphabet='diff -+@ab/,0159\n\\\r"', max_size=400))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    diff.read("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n" + text)
    diff.read(text)
