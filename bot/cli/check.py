"""gracewatch check: reviews files without a service."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from bot.cli.showing import show
from bot.cli.sitting import Sitting, sitting, unreadable_line
from bot.exports.json import document
from bot.feeds.files import Files
from bot.model import Review, Scan, Series
from bot.report import summary
from bot.report.text import harmless, one_line
from bot.review import reverse as reversed_series
from bot.reviewer import Reviewer
from bot.trees.detect import tree_for

CLEAN, FINDINGS, CANNOT = 0, 1, 2


def run(files: Sequence[str], tree: str, rev: str, *, reverse: bool, as_json: bool) -> int:
    """Print the reviews of all series in the files and return the exit code.  Raises FeedError or TreeError."""
    return asyncio.run(_run(files, Reviewer(tree_for(tree, rev)), reverse=reverse, as_json=as_json))


async def _run(files: Sequence[str], review: Reviewer, *, reverse: bool, as_json: bool) -> int:
    async def look(series: Series) -> Review:
        return await review(reversed_series(series) if reverse else series)

    try:
        async with sitting(look) as work:
            await work.read(Files(files))
            scan = await work.scan()
    finally:
        review.close()
    if as_json:
        print(document(scan, work.judged.values()))
    else:
        _tell(work, scan)
    if not work.judged:
        print("gracewatch: no patch to review was found in what was given", file=sys.stderr)
        return CANNOT
    if work.by_rule():
        return FINDINGS
    return CANNOT if scan.unreadable else CLEAN


def _tell(work: Sitting, scan: Scan) -> None:
    for series, review in work.judged.values():
        show(*summary.of_series(series, review))
    for one in scan.unreadable:
        print(harmless(one_line(f"unreadable: {unreadable_line(one)}", 400)), file=sys.stderr)
    show(summary.closing(scan, work.by_rule()))
