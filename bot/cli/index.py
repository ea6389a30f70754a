"""gracewatch index: reads a tree beforehand, so that reviews find it known."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bot.code.outline import outline_of
from bot.ports import TreeError
from bot.trees.directory import Directory
from bot.trees.git import GitTree
from bot.trees.index import blob_name
from bot.trees.none import NoTree
from bot.trees.outlines import decoded
from bot.trees.scope import chosen
from bot.truth.neighbourhood import KVM
from bot.workers import workers

NEEDED = (*KVM, "include/linux/*.h")
_BATCH = 64  # files; what was done of a cut run is kept by so many


def run(tree: Directory | GitTree | NoTree, patterns: Sequence[str], *, jobs: int) -> None:
    """Bring the index up to date with a tree, and say what was done.  Raises TreeError."""
    if isinstance(tree, NoTree):
        raise TreeError("no tree; name a directory of kernel sources or a git repository")
    begun = time.monotonic()
    scope = tree.scope()
    wanted = chosen(scope.paths, patterns or NEEDED)
    if not wanted:
        raise TreeError(f"{tree.name}: no C file matches {', '.join(patterns or NEEDED)}; name others with --paths")
    near = scope.nearest(tuple(sorted({path.rpartition("/")[0] for path in wanted})))
    terminal = Terminal(stderr=True)
    with _bar(terminal) as bar:
        words = bar.add_task("words", total=1)
        blobs = tree.learn(tuple(dict.fromkeys((*near, *wanted))))
        bar.advance(words)
        known = tree.index.outlined([blobs[path] for path in wanted if path in blobs])
        lacking = [path for path in wanted if path in blobs and blobs[path] not in known]
        if lacking:
            _make_outlines(tree, lacking, jobs, bar)
    broken = f", {tree.index.rebuilt} broken entries made anew" if tree.index.rebuilt else ""
    print(
        f"{tree.name}: {len(wanted)} files indexed, {len(lacking)} of them now; words of {len(near)} files{broken}; "
        f"{tree.index.size() / 1e6:.0f} MB in {tree.index.place}; {time.monotonic() - begun:.1f} s"
    )


def _bar(terminal: Terminal) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal)


def _make_outlines(tree: Directory | GitTree, paths: Sequence[str], jobs: int, bar: Progress) -> None:
    """Make and keep the outlines of files.  Raises TreeError when a process ends."""
    task = bar.add_task("files", total=len(paths))
    with workers(jobs) as pool:
        for batch in _batches(tree.sources(paths)):
            blobs = {blob_name(data): decoded(data) for _, data in batch}
            try:
                outlines = pool.map(outline_of, blobs.values(), chunksize=4)
                tree.index.keep(list(zip(blobs, outlines, strict=True)))
            except BrokenProcessPool:
                raise TreeError(f"{tree.name}: the work ended its process; index less of it with --paths") from None
            bar.advance(task, len(batch))


def _batches(files: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    left = iter(files)
    while batch := list(islice(left, _BATCH)):
        yield batch
