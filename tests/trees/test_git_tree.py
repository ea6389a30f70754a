"""A repository knows more than one state, and the diff says which one it was made for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.model import Wanted
from bot.ports import TreeError
from bot.trees.detect import tree_for
from bot.trees.directory import Directory
from bot.trees.git import GitTree
from bot.trees.none import NoTree

WHO = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(place: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", place, *words], check=True, capture_output=True, text=True, env={**os.environ, **WHO}
    )
    return done.stdout.strip()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with a.c in two states: "one" at v1, "two" at master."""
    git(tmp_path, "init", "-q", "-b", "master")
    for text in ("one", "two"):
        (tmp_path / "a.c").write_text(f"int {text};\n")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", text)
        if text == "one":
            git(tmp_path, "tag", "v1")
    return tmp_path


async def text(tree: GitTree, blob: str = "") -> str | None:
    return (await tree.answer(Wanted(files=(("a.c", blob),)))).texts["a.c"]


async def test_a_revision_is_the_state_that_is_read(place: Path) -> None:
    assert await text(GitTree(place, "v1")) == "int one;\n"
    assert await text(GitTree(place)) == "int two;\n"
    assert await text(GitTree(place, git(place, "rev-parse", "--short", "v1"))) == "int one;\n"


async def test_mentions_are_those_of_the_revision_and_not_of_what_is_checked_out(place: Path) -> None:
    assert (await GitTree(place, "v1").answer(Wanted(mentions=(("one",),)))).texts == {"a.c": "int one;\n"}
    assert (await GitTree(place, "v1").answer(Wanted(mentions=(("two",),)))).texts == {}


async def test_a_blob_that_the_diff_names_beats_the_revision(place: Path) -> None:
    blob = git(place, "rev-parse", "--short=7", "v1:a.c")
    assert await text(GitTree(place), blob) == "int one;\n"


@pytest.mark.parametrize("blob", ["0000000", "1234567", "HEAD", "v1:a.c", "../x", "zzzzzzz", "12\n34567"])
async def test_a_blob_that_is_not_there_or_no_id_leaves_the_revision(place: Path, blob: str) -> None:
    assert await text(GitTree(place), blob) == "int two;\n"


async def test_an_id_of_something_else_than_a_blob_leaves_the_revision(place: Path) -> None:
    assert await text(GitTree(place), git(place, "rev-parse", "v1")) == "int two;\n"
    assert await text(GitTree(place), git(place, "rev-parse", "v1^{tree}")) == "int two;\n"


async def test_the_base_commit_that_a_series_names_is_read(place: Path) -> None:
    old = git(place, "rev-parse", "v1")
    wanted = Wanted(files=(("a.c", ""),), mentions=(("one",),), base_commit=old)
    answer = await GitTree(place).answer(wanted)
    assert answer.texts == {"a.c": "int one;\n"}
    assert answer.notes == (f"read at {old[:12]}, the base-commit that the series names",)


@pytest.mark.parametrize("commit", ["0" * 40, "v1", "--help", "1234567", "abcdef0"])
async def test_a_base_commit_that_is_not_here_leaves_the_revision(place: Path, commit: str) -> None:
    git(place, "branch", "abcdef0", "v1")
    answer = await GitTree(place).answer(Wanted(files=(("a.c", ""),), base_commit=commit))
    assert answer.texts == {"a.c": "int two;\n"}
    assert answer.notes == ()


def test_a_hook_of_another_repository_does_not_lead_astray(place: Path) -> None:
    program = f"from pathlib import Path; from bot.trees.git import GitTree; print(GitTree(Path({str(place)!r})).name)"
    env = {**os.environ, "GIT_DIR": str(place / "elsewhere"), "GIT_INDEX_FILE": "none"}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root, env=env
    )
    assert done.stdout.strip() == GitTree(place).name


def test_the_name_tells_the_state(place: Path) -> None:
    tip = git(place, "rev-parse", "HEAD")
    old = git(place, "rev-parse", "v1")
    assert GitTree(place).name == f"{place.name} at {tip[:12]}"
    assert GitTree(place, "v1").name == f"{place.name} at v1, {old[:12]}"
    assert GitTree(place, old[:9]).name == f"{place.name} at {old[:12]}"


@pytest.mark.parametrize("rev", ["v7", "--help", "-n1", "a..b", "HEAD:a.c", "x y"])
def test_a_revision_that_is_not_there_is_a_tree_error_with_a_cure(place: Path, rev: str) -> None:
    with pytest.raises(TreeError, match=r"no revision.*name (another|a tag)"):
        GitTree(place, rev)


def test_a_folder_that_is_no_repository_is_a_tree_error(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match=r"not a git repository.*name a git repository"):
        GitTree(tmp_path)


def test_a_missing_directory_is_a_tree_error(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="there is no such directory"):
        tree_for(str(tmp_path / "none"))
    with pytest.raises(TreeError, match="there is no such directory"):
        tree_for(str(tmp_path / "none"), "v1")


def test_the_place_tells_the_tree(place: Path, tmp_path: Path) -> None:
    assert isinstance(tree_for(str(place)), Directory)
    assert isinstance(tree_for(str(place), "v1"), GitTree)
    assert isinstance(tree_for(str(place / ".git")), GitTree)
    assert isinstance(tree_for(""), NoTree)
    with pytest.raises(TreeError, match="name the git repository too"):
        tree_for("", "v1")


def test_a_directory_tells_the_version_of_its_kernel(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("# x\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\nEXTRAVERSION =\n")
    assert Directory(tmp_path).name == f"{tmp_path.name} (6.12.3)"


async def test_no_tree_has_no_name_and_no_answer() -> None:
    tree = NoTree()
    assert tree.name == ""
    assert (await tree.answer(Wanted(files=(("a.c", ""),)))).texts == {}
