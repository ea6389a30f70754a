"""What every tree promises, asked of a directory and of a real git repository with the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.model import Wanted
from bot.ports import Tree, TreeError
from bot.trees.detect import tree_for
from bot.trees.directory import Directory
from bot.trees.git import GitTree

EXAMPLES = Path(__file__).parents[2] / "examples"
MAIN, VFIO, ITS = "virt/kvm/kvm_main.c", "virt/kvm/vfio.c", "arch/arm64/kvm/vgic/vgic-its.c"
HOST = "include/linux/kvm_host.h"
NEAR = ("virt/kvm",)
WHO = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(place: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", place, *words], check=True, capture_output=True, text=True, env={**os.environ, **WHO}
    )
    return done.stdout.strip()


def directory(place: Path) -> Tree:
    return Directory(place)


def repository(place: Path) -> Tree:
    if not (place / ".git").exists():
        git(place, "init", "-q", "-b", "master")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "a state", "--allow-empty")
    return GitTree(place)


def bare_repository(place: Path) -> Tree:
    repository(place)
    shutil.rmtree(place.parent / "bare.git", ignore_errors=True)
    git(place, "clone", "-q", "--bare", str(place), str(place.parent / "bare.git"))
    return tree_for(str(place.parent / "bare.git"))


Build = Callable[[Path], Tree]


@pytest.fixture(params=[directory, repository, bare_repository])
def build(request: pytest.FixtureRequest) -> Build:
    chosen: Build = request.param
    return chosen


@pytest.fixture
def place(tmp_path: Path) -> Path:
    copy = tmp_path / "linux"
    shutil.copytree(EXAMPLES / "tree", copy)
    return copy


def write(place: Path, path: str, text: str | bytes) -> None:
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


async def test_wanted_files_come_whole_and_unknown_ones_are_none(build: Build, place: Path) -> None:
    answer = await build(place).answer(Wanted(files=((MAIN, ""), ("virt/kvm/none.c", ""), ("virt", ""))))
    assert answer.texts == {MAIN: (place / MAIN).read_text(), "virt/kvm/none.c": None, "virt": None}
    assert answer.notes == ()


async def test_every_byte_of_a_file_can_be_had_back(build: Build, place: Path) -> None:
    data = b"/* caf\xe9 \xff\x00 */\r\n\tint a;  \n\f\n"
    write(place, "odd.c", data)
    git(place, "init", "-q")
    git(place, "config", "core.autocrlf", "false")
    text = (await build(place).answer(Wanted(files=(("odd.c", ""),)))).texts["odd.c"]
    assert text is not None
    assert text.encode("utf-8", "surrogateescape") == data


@pytest.mark.parametrize(
    "path",
    ["../secret.c", "/etc/passwd", "virt/../../secret.c", "virt/kvm/../../../secret.c", "./" + MAIN, "a\nb.c", ""],
)
async def test_no_path_leads_out_of_the_tree(build: Build, place: Path, path: str) -> None:
    write(place.parent, "secret.c", "int secret;\n")
    answer = await build(place).answer(Wanted(files=((path, ""), (MAIN, ""))))
    assert answer.texts[path] is None
    assert answer.texts[MAIN]
    assert "lies outside the tree" in answer.notes[0]


async def test_a_link_leads_nowhere(build: Build, place: Path) -> None:
    write(place.parent, "secret.c", "int secret_word;\n")
    (place / "virt/kvm/link.c").symlink_to(place.parent / "secret.c")
    (place / "virt/kvm/folder").symlink_to(place.parent)
    wanted = Wanted(files=(("virt/kvm/link.c", ""), ("virt/kvm/folder/secret.c", "")), mentions=(("secret_word",),))
    texts = (await build(place).answer(wanted)).texts
    assert not any("int secret_word" in (text or "") for text in texts.values())


async def test_mentions_are_the_files_that_have_all_the_words(build: Build, place: Path) -> None:
    answer = await build(place).answer(Wanted(mentions=(("kvm_device", "vm_node"),), near=NEAR))
    assert set(answer.texts) == {MAIN, VFIO, ITS, HOST}
    answer = await build(place).answer(
        Wanted(mentions=(("kvm_device", "file_list"), ("translation_cache",)), near=NEAR)
    )
    assert set(answer.texts) == {VFIO, ITS}


async def test_a_part_of_a_word_is_no_mention(build: Build, place: Path) -> None:
    assert not (await build(place).answer(Wanted(mentions=(("vm_nod",), ("kvm_devic",), ("m_node",))))).texts


async def test_mentions_outside_of_sources_do_not_count(build: Build, place: Path) -> None:
    write(place, "Documentation/x.rst", "strange_word\n")
    write(place, "virt/kvm/Makefile", "strange_word\n")
    write(place, "tools/x.c", "int strange_word;\n")
    assert not (await build(place).answer(Wanted(mentions=(("strange_word",),)))).texts
    answer = await build(place).answer(Wanted(mentions=(("strange_word",),), near=("tools",)))
    assert set(answer.texts) == {"tools/x.c"}


async def test_definitions_are_found_and_calls_and_prototypes_are_not(build: Build, place: Path) -> None:
    answer = await build(place).answer(Wanted(definitions=("kvm_put_kvm", "kvm_vfio_release", "nowhere"), near=NEAR))
    assert set(answer.texts) == {MAIN, VFIO}


async def test_too_many_mentions_are_capped_and_the_nearest_come(build: Build, place: Path) -> None:
    for number in range(60):
        write(place, f"include/far/f{number:02d}.h", "int everywhere;\n")
    for number in range(3):
        write(place, f"virt/kvm/near{number}.c", "int everywhere;\n")
    answer = await build(place).answer(Wanted(mentions=(("everywhere",),), near=NEAR))
    assert len(answer.texts) == 40
    assert {f"virt/kvm/near{number}.c" for number in range(3)} <= set(answer.texts)
    assert answer.notes == ("more than 40 files mention everywhere: the nearest were read",)


async def test_near_means_the_subsystem_its_namesakes_and_the_headers(build: Build, place: Path) -> None:
    paths = {
        "virt/kvm/a.c",
        "arch/x86/kvm/b.c",
        "arch/x86/include/asm/kvm_host.h",
        "include/linux/c.h",
        "virt/lib/d.c",
        "e.c",
    }
    for path in paths:
        write(place, path, "int marked;\n")
    answer = await build(place).answer(Wanted(mentions=(("marked",),), near=NEAR))
    assert set(answer.texts) == paths - {"virt/lib/d.c", "e.c"}
    answer = await build(place).answer(Wanted(mentions=(("marked",),)))
    assert set(answer.texts) == paths


async def test_a_change_of_the_tree_shows_in_the_next_answer(build: Build, place: Path) -> None:
    tree = build(place)
    wanted = Wanted(files=((MAIN, ""),), mentions=(("brand_new",),))
    assert set((await tree.answer(wanted)).texts) == {MAIN}
    write(place, VFIO, "int brand_new;\n")
    write(place, MAIN, "int changed;\n")
    if isinstance(tree, GitTree):
        repository(place)
        if tree.path != place:
            git(tree.path, "fetch", "-q", "origin", "+master:master")
    assert (await tree.answer(wanted)).texts == {MAIN: "int changed;\n", VFIO: "int brand_new;\n"}


async def test_a_file_that_is_too_large_is_said_so(build: Build, place: Path) -> None:
    write(place, "virt/kvm/huge.c", "int far_too_large;\n" * 150_000)
    answer = await build(place).answer(Wanted(files=(("virt/kvm/huge.c", ""),), mentions=(("far_too_large",),)))
    assert answer.texts == {"virt/kvm/huge.c": None}
    assert "huge.c is larger than" in answer.notes[0]


@pytest.mark.parametrize("words", [(), ("",), ("a b",), ("-e",), (".*",), ("x\ny",), ("vm_node\0",)])
async def test_words_that_are_no_names_find_nothing(build: Build, place: Path, words: tuple[str, ...]) -> None:
    wanted = Wanted(mentions=(words,), definitions=words)
    assert (await build(place).answer(wanted)).texts == {}


async def test_a_tree_has_a_name(build: Build, place: Path) -> None:
    assert build(place).name


async def test_a_tree_that_is_gone_is_a_tree_error_with_a_cure(build: Build, place: Path) -> None:
    tree = build(place)
    path: Path = tree.path  # type: ignore[attr-defined]
    shutil.rmtree(path)
    with pytest.raises(TreeError, match=r"tree .*(mount it again|name a git repository)"):
        await tree.answer(Wanted(files=((MAIN, ""),)))


async def test_a_folder_of_headers_is_no_subsystem_with_namesakes(build: Build, place: Path) -> None:
    for path in (
        "arch/x86/include/asm/a.h",
        "arch/arm64/include/asm/b.h",
        "drivers/x/include/c.h",
        "include/linux/d.h",
    ):
        write(place, path, "int marked;\n")
    answer = await build(place).answer(Wanted(mentions=(("marked",),), near=("arch/x86/include/asm",)))
    assert set(answer.texts) == {"arch/x86/include/asm/a.h", "include/linux/d.h"}
