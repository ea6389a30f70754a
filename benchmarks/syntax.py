"""How much of a kernel tree parses cleanly and how fast it is read: ``python -m benchmarks.syntax [FOLDER...]``.

The tree is the one that KERNEL_TREE names.  The ratios are to what REFERENCES gives: of clean functions it
must not fall below 1, of times it should stay below.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.lines import say, skipped
from bot.code.facts import functions_of
from bot.code.prepass import prepare
from bot.code.protection import WorldFacts
from bot.code.syntax import functions, parse
from bot.model import Image, World

KVM = ("virt/kvm", "arch/*/kvm", "arch/s390/mm/gmap.c", "include/linux/kvm*")
REFERENCES = {
    "syntax.clean-functions": 99.0,  # per cent
    "syntax.prepass": 3.3,  # MB/s, two cores of 2024
    "syntax.parse": 2.5,
    "facts.kvm_main": 500.0,  # ms
    "facts.kvm_main-again": 50.0,
    "facts.per-file": 100.0,
}


def _say(name: str, value: float, unit: str) -> None:
    say(name, value, unit, REFERENCES[name], "its reference")


def c_files(tree: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    """The C files and headers; trace headers are a language of their own, and nobody's code."""
    for pattern in folders:
        for place in sorted(tree.glob(pattern)):
            files = [place] if place.is_file() else sorted(place.rglob("*.[ch]"))
            yield from (path for path in files if not path.name.startswith("trace"))


def took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def measure_syntax(files: list[Path], show: int) -> float:
    """Prints how the files parse; the share of functions that do."""
    found = clean = size = broken = 0
    prepared_in = parsed_in = 0.0
    for path in files:
        data = path.read_bytes()
        text = data.decode("utf-8", "surrogateescape")
        prepared_in += took(lambda data=data: prepare(data))  # type: ignore[misc]
        parsed_in += took(lambda text=text: parse(text))  # type: ignore[misc]
        source = parse(text)
        size, broken = size + len(data), broken + source.root.has_error
        for function in functions(source):
            found += 1
            clean += not function.has_error
            if function.has_error and found - clean <= show:
                print(f"{path}:{function.start_point[0] + 1}", file=sys.stderr)
    share = 100 * clean / max(found, 1)
    say("syntax.files", len(files), "files", len(files), "themselves")
    say("syntax.files-with-errors", broken, "files", len(files), "all files")
    say("syntax.functions", found, "functions", found, "themselves")
    _say("syntax.clean-functions", share, "%")
    _say("syntax.prepass", size / prepared_in / 1000, "MB/s")
    _say("syntax.parse", size / parsed_in / 1000, "MB/s")
    return share


def read(world: World, before: WorldFacts | None = None) -> WorldFacts:
    """All facts of a world."""
    facts = WorldFacts(world, None, before)
    _ = facts.lists, facts.pointers
    return facts


def measure_facts(tree: Path, files: list[Path]) -> None:
    main = tree / "virt/kvm/kvm_main.c"
    images = [Image(str(path), path.read_text("utf-8", "surrogateescape")) for path in files]
    if main in files:
        image = Image("kvm_main.c", main.read_text("utf-8", "surrogateescape"))
        again = Image("kvm_main.c", image.text.replace("list_del(&dev->vm_node)", "list_del_rcu(&dev->vm_node)"))
        first = read(World((image,)))
        functions_of.cache_clear()
        _say("facts.kvm_main", took(lambda: read(World((image,)))), "ms")
        _say("facts.kvm_main-again", took(lambda: read(World((again,)), first)), "ms")
    total = took(lambda: [read(World((image,))) for image in images])
    _say("facts.per-file", total / max(len(images), 1), "ms")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folders", nargs="*", default=KVM)
    options.add_argument(
        "--show", type=int, default=0, metavar="N", help="name the first N functions that do not parse"
    )
    asked = options.parse_args()
    tree = Path(os.environ.get("KERNEL_TREE", ""))
    files = list(c_files(tree, tuple(asked.folders))) if tree.name else []
    if not files:
        where = f"no C files under {' '.join(asked.folders)}"
        skipped("syntax", f"{where}: set KERNEL_TREE to a kernel source directory")
        return 0
    share = measure_syntax(files, asked.show)
    measure_facts(tree, files)
    return 0 if share >= REFERENCES["syntax.clean-functions"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
