"""An index is a cache: it says what the tree says, and whatever becomes of its file, nothing else changes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.model import Wanted
from bot.trees.detect import tree_for
from bot.trees.directory import Directory
from bot.trees.index import Index, blob_name
from bot.trees.version import version
from tests.contracts.test_trees import EXAMPLES, MAIN, NEAR, git, repository, write

WANTED = Wanted(files=((MAIN, ""),), mentions=(("kvm_device", "vm_node"),), definitions=("kvm_put_kvm",), near=NEAR)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    copy = tmp_path / "linux"
    shutil.copytree(EXAMPLES / "tree", copy)
    return copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "index"


def file_of(folder: Path) -> Path:
    (file,) = folder.glob("*.sqlite")
    return file


def settled(place: Path) -> None:
    """Let the times of all files be long past: what was just written is not believed to stay as it is."""
    for file in place.rglob("*"):
        long_ago = time.time() - 3600
        os.utime(file, (long_ago, long_ago))


async def test_a_warm_index_answers_as_a_cold_one(place: Path, folder: Path) -> None:
    without = await Directory(place).answer(WANTED)
    cold = await Directory(place, Index(folder)).answer(WANTED)
    warm = await Directory(place, Index(folder)).answer(WANTED)
    assert cold == warm
    assert cold.texts == without.texts
    assert set(cold.outlines) == set(cold.texts)
    assert without.outlines == {}


async def test_a_repository_and_a_directory_share_what_is_known_of_a_blob(place: Path, folder: Path) -> None:
    repository(place)
    first = await Directory(place, Index(folder)).answer(WANTED)
    index = Index(folder)
    before = index.size()
    again = await tree_for(str(place), "HEAD", index).answer(WANTED)
    assert again.outlines == first.outlines
    (listing,) = [index.listing(f"commit {git(place, 'rev-parse', 'HEAD')}")]
    assert listing is not None
    assert index.size() - before < 20_000


Harm = Callable[[Path], None]


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def overwritten(file: Path) -> None:
    file.write_bytes(b"import os; os.abort()\n" * 4000)


def scrambled(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for place in range(4096, len(data), 997):
        data[place] ^= 0x55
    file.write_bytes(data)


def other_outlines(file: Path) -> None:
    """Outlines that are no outlines, in a sound database."""
    with sqlite3.connect(file) as database:
        database.execute("UPDATE outline SET data = X'00ff00ff'")
    database.close()


@pytest.mark.parametrize("harm", [truncated, overwritten, scrambled, other_outlines])
async def test_what_is_broken_is_made_anew_and_counted(place: Path, folder: Path, harm: Harm) -> None:
    index = Index(folder)
    sound = await Directory(place, index).answer(WANTED)
    index.close()
    for rest in folder.glob("*.sqlite-*"):
        rest.unlink()
    harm(file_of(folder))
    index = Index(folder)
    assert await Directory(place, index).answer(WANTED) == sound
    assert index.rebuilt > 0
    index.close()
    index = Index(folder)
    assert await Directory(place, index).answer(WANTED) == sound
    assert index.rebuilt == 0


async def test_an_empty_file_is_an_empty_index(place: Path, folder: Path) -> None:
    sound = await Directory(place, Index(folder)).answer(WANTED)
    for rest in folder.iterdir():
        rest.unlink()
    (folder / f"index-{version()}.sqlite").touch()
    assert await Directory(place, Index(folder)).answer(WANTED) == sound


async def test_without_a_disk_to_write_to_the_index_goes_on_in_memory(place: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    index = Index(tmp_path / "file" / "index")
    answer = await Directory(place, index).answer(WANTED)
    assert answer.texts == (await Directory(place).answer(WANTED)).texts
    assert not index.lasting


async def test_only_what_changed_is_read_again(place: Path, folder: Path) -> None:
    settled(place)
    await Directory(place, Index(folder)).answer(WANTED)
    write(place, "virt/kvm/new.c", "struct kvm_device *kvm_put_kvm_new(void)\n{\n\treturn vm_node;\n}\n")
    index = Index(folder)
    before = set(index.numbers())
    answer = await Directory(place, index).answer(WANTED)
    assert "virt/kvm/new.c" in answer.texts
    assert set(index.numbers()) - before == {blob_name((place / "virt/kvm/new.c").read_bytes())}
    (place / "virt/kvm/new.c").unlink()
    assert "virt/kvm/new.c" not in (await Directory(place, Index(folder)).answer(WANTED)).texts


async def test_a_file_that_changes_and_keeps_its_size_and_time_is_read_again(place: Path, folder: Path) -> None:
    file = place / "virt/kvm/one.c"
    write(place, "virt/kvm/one.c", "int marked_one;\n")
    tree = Directory(place, Index(folder))
    wanted = Wanted(mentions=(("marked_one",),))
    assert set((await tree.answer(wanted)).texts) == {"virt/kvm/one.c"}
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text("int marked_two;\n")
    os.utime(file, ns=times)
    assert (await tree.answer(wanted)).texts == {}


def test_what_was_not_asked_for_longest_is_let_go(folder: Path) -> None:
    index = Index(folder, limit=400_000)
    for number in range(40):
        index.keep([(f"{number:040d}", bytes(range(256)) * 100)])
        assert index.size() <= 450_000
    kept = index.outlined([f"{number:040d}" for number in range(40)])
    assert f"{39:040d}" in kept
    assert 0 < len(kept) < 20


def test_words_beyond_the_limit_begin_anew(folder: Path) -> None:
    index = Index(folder, limit=300_000)
    for number in range(10):
        words = b" ".join(b"word_%d_%d" % (number, k) for k in range(1500))
        index.learn([(f"{number:040d}", words)])
    assert index.size() <= 600_000
    assert len(index.numbers()) < 10


def test_many_batches_of_words_become_one(folder: Path) -> None:
    index = Index(folder)
    for number in range(150):
        index.learn([(f"{number:040d}", b"int common; int word_%d;" % number)])
    assert len(index.holding(b"common")) == 150
    assert index.holding(b"word_77") == {index.numbers()[f"{77:040d}"]}


def test_the_files_of_other_versions_go_after_a_day(folder: Path) -> None:
    folder.mkdir(parents=True)
    old, new, strange = folder / "index-old.sqlite", folder / "index-new.sqlite", folder / "notes.txt"
    for file in (old, new, strange):
        file.touch()
    for file in (old, strange):
        os.utime(file, (1, 1))
    Index(folder).numbers()
    assert not old.exists()
    assert new.exists()
    assert strange.exists()


def test_nobody_else_may_look_into_the_folder(folder: Path) -> None:
    Index(folder).numbers()
    assert folder.stat().st_mode & 0o077 == 0
