"""gracewatch audit: every suspect of a whole tree, whoever brought it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from bot.cli.showing import show
from bot.cli.trees import directory_at
from bot.code.facts import functions_of
from bot.exports.json import document
from bot.model import Address, Context, Finding, Image, Review, Scan, Series, SeriesState, World
from bot.ports import TreeError
from bot.report import summary, warning
from bot.review import suspects
from bot.trees.outlines import decoded, outlines
from bot.truth.neighbourhood import KVM, worlds_of
from config.known import known_functions

CLEAN, FINDINGS = 0, 1


def run(tree: Path, patterns: Sequence[str], *, jobs: int, as_json: bool) -> int:
    """Print the suspects and return the exit code.  Raises TreeError."""
    root = directory_at(tree)
    groups = worlds_of(root.scope().paths, tuple(patterns) or KVM)
    if not groups:
        raise TreeError(f"tree {tree}: no C file matches {', '.join(patterns or KVM)}; name others with --path")
    findings, functions = _audited(root.path, groups, jobs)
    review = Review("audit", findings, context=Context.TREE, base=root.name, functions=functions)
    series = _whole_tree(root.name)
    if as_json:
        print(document(Scan(series=1, functions=functions), [(series, review)]))
    else:
        show(*(warning.page(series, group, root.name) for group in warning.by_object(findings)))
        show(summary.closing(Scan(functions=functions), Counter(finding.rule for finding in findings)))
    return FINDINGS if findings else CLEAN


def _audited(root: Path, groups: Sequence[Sequence[str]], jobs: int) -> tuple[tuple[Finding, ...], int]:
    """The suspects of all groups, each once, and the number of functions.  Raises TreeError when a process ends."""
    found: dict[str, Finding] = {}
    functions: set[tuple[str, str]] = set()
    with ProcessPoolExecutor(min(jobs, len(groups)), mp_context=get_context("spawn")) as pool:
        try:
            for findings, names in pool.map(_audit, [root] * len(groups), groups):
                found.update((finding.fingerprint, finding) for finding in findings)
                functions |= names
        except BrokenProcessPool:
            raise TreeError(f"tree {root}: the audit ended its process; audit less of it with --path") from None
    return tuple(sorted(found.values(), key=lambda one: (one.path, one.line, one.rule))), len(functions)


def _audit(root: Path, paths: Sequence[str]) -> tuple[tuple[Finding, ...], set[tuple[str, str]]]:
    """The suspects of one group, in a process of its own."""
    tree = directory_at(root)
    files = dict(tree.sources(paths))
    known = outlines(tree.index, files)
    images = tuple(Image(path, decoded(data), outline=known.get(path, b"")) for path, data in files.items())
    tree.index.close()
    found = suspects(World(images), known_functions())
    return found, {(image.path, function.name) for image in images for function in functions_of(image)}


def _whole_tree(name: str) -> Series:
    """A series without patches, for the forms that show findings as those of a series."""
    nobody, begin = Address("", ""), datetime(1970, 1, 1, tzinfo=UTC)
    return Series("audit", "audit", 1, f"audit of {name}", nobody, 0, SeriesState.REVIEWED, begin)
