"""The example mails are real patches: git applies them to the example tree, in the order that the story tells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy = tmp_path / "tree"
    shutil.copytree(EXAMPLES / "tree", copy)
    subprocess.run(["git", "init", "-q", copy], check=True)
    return copy


def apply(tree: Path, mails: Path) -> int:
    return subprocess.run(["git", "-C", tree, "apply", "-p1", "--whitespace=error", mails], check=False).returncode


def test_v1_applies_to_the_tree(tree: Path) -> None:
    assert apply(tree, EXAMPLES / "kvm" / "v1.mbox") == 0


def test_v3_applies_to_the_same_tree_and_the_deletion_on_top_of_it(tree: Path) -> None:
    assert apply(tree, EXAMPLES / "deletion.mbox") != 0
    assert apply(tree, EXAMPLES / "kvm" / "v3.mbox") == 0
    assert (tree / "virt/kvm/kvm_main.c").read_text().count("synchronize_rcu();") == 2
    assert apply(tree, EXAMPLES / "deletion.mbox") == 0
    assert (tree / "virt/kvm/kvm_main.c").read_text().count("synchronize_rcu();") == 1


def test_the_index_lines_name_the_files_of_the_tree(tree: Path) -> None:
    said = {line.split("..")[0][6:] for line in (EXAMPLES / "kvm/v1.mbox").read_text().splitlines() if "index " in line}
    files = sorted((EXAMPLES / "tree").rglob("*.[ch]"))
    ids = subprocess.run(["git", "hash-object", *files], check=True, capture_output=True, text=True).stdout.split()
    assert said
    assert said <= {name[:7] for name in ids}
