"""gracewatch check: reviews files, and threads of an archive, without a service."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from bot.cli.showing import show
from bot.cli.sitting import Sitting, sitting, unreadable_line
from bot.cli.trees import tree_at
from bot.exports.json import document
from bot.feeds.files import Files
from bot.model import RawMail, Review, Scan, Series, Unreadable
from bot.ports import Archive, FeedError
from bot.report import summary
from bot.report.text import harmless, one_line
from bot.review import reverse as reversed_series
from bot.reviewer import Reviewer
from config.known import known_functions

CLEAN, FINDINGS, CANNOT = 0, 1, 2
_WEB = ("http://", "https://")
_MESSAGE_ID = re.compile(r"(?:<|id:|mid:)?[^\s<>@]{1,500}@[^\s<>@]{1,250}>?")


class Given:
    """The feed of what stands on the command line: files, and what is fetched from an archive."""

    name = "files"

    def __init__(self, places: Sequence[str], archive: Callable[[], Archive]) -> None:
        self._wanted = [place for place in places if _is_thread(place)]
        self._files = [place for place in places if not _is_thread(place)]
        self._archive = archive

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:
        threads = []
        archive = self._archive() if self._wanted else None
        for wanted in self._wanted:
            mails = await archive.fetch(wanted) if archive else ()
            if not mails:
                raise FeedError(f"{wanted[:200]}: no configured archive has it; check the id")
            threads.append(mails)
        if self._files:
            async for item in Files(self._files).since(position):
                yield item
        for mails in threads:
            for mail in mails:
                yield mail

    async def count(self, position: str) -> int | None:  # noqa: ARG002  not known without fetching
        return None


def _is_thread(place: str) -> bool:
    return place.startswith(_WEB) or (bool(_MESSAGE_ID.fullmatch(place)) and not Path(place).exists())


def run(
    places: Sequence[str], tree: str, rev: str, archive: Callable[[], Archive], *, reverse: bool, as_json: bool
) -> int:
    """Print the reviews of all series in files and threads, and return the exit code.  Raises FeedError or TreeError.

    ``archive`` is asked for only when a thread is to be fetched.
    """
    return asyncio.run(
        _run(Given(places, archive), Reviewer(tree_at(tree, rev), known_functions()), reverse=reverse, as_json=as_json)
    )


async def _run(given: Given, review: Reviewer, *, reverse: bool, as_json: bool) -> int:
    async def look(series: Series) -> Review:
        return await review(reversed_series(series) if reverse else series)

    try:
        async with sitting(look) as work:
            await work.read(given)
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
