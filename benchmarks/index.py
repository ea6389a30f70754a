"""What a tree costs to index and a series to review against it: ``python -m benchmarks.index``.

The tree is the one that KERNEL_TREE names.  Times are seconds of processors.  Each review runs in a process
of its own that knows nothing yet but the index; what it takes to load Python and us is not counted.  References are the
bars that we hold ourselves to, and spatch with one like rule on the same files in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cost import Cost, cost
from benchmarks.lines import say, seconds, skipped
from bot.catalog import rules
from bot.mail import diff
from bot.model import Address, Base, Known, Message, Patch, Review, Series, SeriesState, Subject, SubjectKind
from bot.review import review, wants
from bot.trees.directory import Directory
from bot.trees.index import Index
from bot.trees.scope import chosen
from bot.truth.neighbourhood import KVM

WIDE = ("virt/*", "net/core/*", "net/sched/*", "drivers/vfio/*", "drivers/vhost/*")
SAME = "virt/kvm/*.c"  # what spatch reads in a minute
# One word of one file each: the seed is the list of devices, half converted.
CHANGES = {
    "seed": ("virt/kvm/kvm_main.c", (("list_del_rcu(&dev->vm_node)", "list_del(&dev->vm_node)"),
                                     ("list_add(&dev->vm_node", "list_add_rcu(&dev->vm_node"))),
    "typical": ("virt/kvm/eventfd.c", (("list_for_each_entry_srcu(", "list_for_each_entry_rcu("),
                                       ("list_for_each_entry_rcu(", "list_for_each_entry("))),
}  # fmt: skip
BARS = {"seed": 0.5, "typical": 0.3}
MEMORY = 400.0


def series_of(tree: Path, name: str) -> Series | None:
    """The series of a change, None when the tree has no place for it."""
    path, replacements = CHANGES[name]
    before = (tree / path).read_text("utf-8", "surrogateescape") if (tree / path).is_file() else ""
    after = next((before.replace(old, new, 1) for old, new in replacements if old in before), before)
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), f"a/{path}", f"b/{path}")
    files, _ = diff.read(f"diff --git a/{path} b/{path}\n{''.join(lines)}")
    if before == after:
        return None
    sender, noon = Address("A", "a@example.org"), datetime(2026, 1, 1, tzinfo=UTC)
    message = Message("1@example.org", Subject("", SubjectKind.PATCH, name), sender, noon, (), (), "")
    return Series(name, name, 1, name, sender, 1, SeriesState.SETTLED, noon, patches=(Patch(message, files),))


def one(tree: Path, folder: Path, name: str) -> int:
    """Review one change here, and print what it took."""
    series = series_of(tree, name)
    if series is None:
        return 1
    rules()

    def work() -> Review:
        source = Directory(tree, Index(folder))
        base = Base(source.name, known=Known())
        while wanted := wants(series, base):
            base = base.plus(wanted, asyncio.run(source.answer(wanted)))
        return review(series, base)

    took, found = seconds(work)
    print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(found.findings), found.functions)
    return 0


def reviewed(tree: Path, state: Path, name: str) -> list[float] | None:
    words = [sys.executable, "-m", "benchmarks.index", "--one", name, "--tree", str(tree), "--state", str(state)]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE)
    return [float(word) for word in done.stdout.split()] if done.returncode == 0 else None


def indexed(tree: Path, state: Path, patterns: Sequence[str]) -> Cost:
    os.environ["GRACEWATCH_STATE_FOLDER"] = str(state)
    paths = [word for pattern in patterns for word in ("--paths", pattern)]
    return cost([sys.executable, "-m", "bot", "index", str(tree), *paths])


def audited(tree: Path, state: Path) -> Cost:
    """All rules on the files that spatch reads, to begin with Python; findings are no failure."""
    os.environ["GRACEWATCH_STATE_FOLDER"] = str(state)
    words = [sys.executable, "-m", "bot", "audit", "--tree", str(tree), "--path", SAME]
    return cost(["sh", "-c", '"$@" || test $? = 1', "sh", *words])


def size_of(tree: Path, patterns: Sequence[str]) -> float:
    """Megabytes of C."""
    files = (tree / path for path in chosen(Directory(tree).scope().paths, patterns))
    return sum(file.stat().st_size for file in files) / 1e6


def measure_reviews(tree: Path, state: Path, scope: str) -> Mapping[str, float]:
    took: dict[str, float] = {}
    for name, bar in BARS.items():
        reviewed(tree, state, name)  # the first one adds what the index lacks
        figures = reviewed(tree, state, name)
        if figures is None:
            skipped(f"index.{scope}.review-{name}", "the tree has no place for the change")
            continue
        took[name] = figures[0]
        say(f"index.{scope}.review-{name}", figures[0], "s", bar, "the bar")
        say(f"index.{scope}.review-{name}-memory", figures[1], "MB", MEMORY, "the bar")
    return took


def measure_growth(tree: Path) -> Mapping[str, float]:
    """Index and reviews of KVM, and then of more; the index of KVM ends in time."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        kvm = indexed(tree, state, KVM)
        again = indexed(tree, state, KVM)
        took = measure_reviews(tree, state, "kvm")
        say("index.kvm", kvm.cpu, "s", size_of(tree, KVM), "a second for each MB")
        say("index.kvm-memory", kvm.memory, "MB", MEMORY, "the bar")
        say("index.kvm-again", again.cpu, "s", kvm.cpu, "index.kvm")
        wide = indexed(tree, state, WIDE)
        say("index.wide", wide.cpu, "s", size_of(tree, WIDE), "a second for each MB")
        more = measure_reviews(tree, state, "wide")
        for name in took.keys() & more.keys():
            say(f"index.growth.review-{name}", more[name], "s", took[name], f"index.kvm.review-{name}")
    return took


def measure_spatch(tree: Path) -> None:
    spatch = shutil.which("spatch")
    if spatch is None:
        skipped("index.spatch", "spatch is not installed (the package coccinelle has it)")
        return
    files = [str(file) for file in sorted(tree.glob(SAME))]
    rule = str(Path(__file__).with_suffix("").with_name("unlink.cocci"))
    peer = cost([spatch, "--very-quiet", "--no-includes", "--sp-file", rule, *files])
    say("index.spatch", peer.cpu, "s", peer.cpu, "spatch")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            took = audited(tree, Path(folder))
            say(f"index.audit-{name}", took.cpu, "s", peer.cpu, "spatch")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tree", type=Path, default=Path(os.environ.get("KERNEL_TREE", "")))
    options.add_argument("--state", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--one", choices=sorted(CHANGES), help=argparse.SUPPRESS)
    asked = options.parse_args()
    if not (asked.tree / "virt/kvm").is_dir():
        skipped("index", "no kernel tree: set KERNEL_TREE to a kernel source directory")
        return 0
    if asked.one:
        return one(asked.tree, asked.state / "index", asked.one)
    measure_growth(asked.tree)
    measure_spatch(asked.tree)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
