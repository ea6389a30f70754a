"""How much of a kernel tree parses cleanly, and how fast: ``python benchmarks/syntax.py TREE [FOLDER...]``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bot.code.prepass import prepare
from bot.code.syntax import functions, parse

KVM = ("virt/kvm", "arch/*/kvm", "arch/s390/mm/gmap.c")


def c_files(tree: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    for pattern in folders:
        for place in sorted(tree.glob(pattern)):
            yield from [place] if place.is_file() else sorted(place.rglob("*.c"))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("tree", type=Path)
    options.add_argument("folders", nargs="*", default=KVM)
    options.add_argument(
        "--show", type=int, default=0, metavar="N", help="name the first N functions that do not parse"
    )
    asked = options.parse_args()
    files = found = clean = size = broken_files = 0
    prepared_in = parsed_in = 0.0
    for path in c_files(asked.tree, tuple(asked.folders)):
        data = path.read_bytes()
        start = time.perf_counter()
        prepare(data)
        middle = time.perf_counter()
        source = parse(data.decode("utf-8", "surrogateescape"))
        parsed_in += time.perf_counter() - middle
        prepared_in += middle - start
        files, size, broken_files = files + 1, size + len(data), broken_files + source.root.has_error
        for function in functions(source):
            found += 1
            clean += not function.has_error
            if function.has_error and found - clean <= asked.show:
                print(f"{path}:{function.start_point[0] + 1}", file=sys.stderr)
    if not files:
        print(f"no C files in {asked.tree} under {' '.join(asked.folders)}", file=sys.stderr)
        return 2
    print(f"syntax.files {files} files")
    print(f"syntax.files-with-errors {broken_files} files")
    print(f"syntax.functions {found} functions")
    print(f"syntax.clean-functions {100 * clean / max(found, 1):.2f} %")
    print(f"syntax.prepass {size / prepared_in / 1e6:.2f} MB/s")
    print(f"syntax.prepass-and-parse {size / parsed_in / 1e6:.2f} MB/s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
