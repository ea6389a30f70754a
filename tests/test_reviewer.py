"""Reviews run in a process of their own: one that hangs, crashes or is killed ends no other and not the service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from bot.cli.sitting import sitting
from bot.feeds.files import Files
from bot.model import Answer, Known, Review, Series, Wanted
from bot.ports import ReviewError, Tree, TreeError
from bot.reviewer import PATIENCE_SECONDS, Reviewer
from bot.trees.directory import Directory
from bot.trees.index import Index
from bot.trees.none import NoTree
from bot.workers import MOST_MEMORY

EXAMPLES = Path(__file__).parents[1] / "examples"
WRONG = {"kvm_device_release", "kvm_ioctl_create_device"}


async def example(mail: str = "kvm/v1.mbox") -> Series:
    """An example series, as the service would hand it over."""
    found: list[Series] = []

    async def keep(series: Series) -> Review:
        found.append(series)
        return Review(series.key)

    async with sitting(keep) as work:
        await work.read(Files([str(EXAMPLES / mail)]))
    return found[0]


class Watched:
    """The example tree; ``before`` is called before each of its answers."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._tree = Directory(EXAMPLES / "tree")
        self.name = self._tree.name
        self._before = before

    async def answer(self, wanted: Wanted) -> Answer:
        self._before()
        return await self._tree.answer(wanted)


@asynccontextmanager
async def reviewer(tree: Tree, patience: float = PATIENCE_SECONDS) -> AsyncIterator[Reviewer]:
    review = Reviewer(tree, Known(), patience)
    try:
        yield review
    finally:
        review.close()
        assert active_children() == []


def functions(review: Review) -> set[str]:
    return {finding.function for finding in review.findings}


async def test_a_review_has_the_trees_word_and_its_process_is_kept_for_the_next() -> None:
    seen: set[int | None] = set()
    tree = Watched(lambda: seen.update(child.pid for child in active_children()))
    async with reviewer(tree) as review:
        series = await example()
        first, second = await review(series), await review(series)
    assert functions(first) == WRONG
    assert first == second
    assert len(seen) == 1


@pytest.mark.parametrize("mail", ["kvm/v1.mbox", "kvm/v3.mbox"])
async def test_a_review_from_a_warm_index_is_the_one_from_a_cold_index_and_from_none(mail: str, tmp_path: Path) -> None:
    series = await example(mail)
    found = []
    for index in (Index(), Index(tmp_path), Index(tmp_path)):
        async with reviewer(Directory(EXAMPLES / "tree", index)) as review:
            found.append(await review(series))
    assert found[0] == found[1] == found[2]
    assert found[0].functions


class Trap(str):
    """A title that does something to the process that it is sent to."""

    __slots__ = ("does", "word")

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return self.does, (self.word,)


def trapped(series: Series, does: Callable[[int], object], word: int) -> Series:
    title = Trap(series.title)
    title.does, title.word = does, word
    return replace(series, title=title)


async def test_a_review_that_hangs_is_ended_and_the_next_one_works() -> None:
    series = await example()
    async with reviewer(Directory(EXAMPLES / "tree"), patience=5) as review:
        with pytest.raises(ReviewError, match="took longer than 5 seconds"):
            await review(trapped(series, time.sleep, 3600))
        assert active_children() == []
        found = Review(series.key)
        while not found.findings:  # a loaded machine may need more than five seconds for a sound review, too
            with contextlib.suppress(ReviewError):
                found = await review(series)
    assert functions(found) == WRONG


@pytest.mark.parametrize(("does", "word"), [(os._exit, 1), (bytearray, 2 * MOST_MEMORY)])
async def test_a_review_that_crashes_or_fills_the_memory_is_told_and_the_next_one_works(
    does: Callable[[int], object], word: int
) -> None:
    series = await example()
    async with reviewer(Directory(EXAMPLES / "tree")) as review:
        with pytest.raises(ReviewError, match="ended its process, by a crash or for want of memory"):
            await review(trapped(series, does, word))
        assert functions(await review(series)) == WRONG


async def test_a_process_that_is_killed_once_loses_no_review() -> None:
    killed: list[int | None] = []

    def kill() -> None:
        for child in () if killed else active_children():
            child.kill()
            child.join()
            killed.append(child.pid)

    async with reviewer(Watched(kill)) as review:
        assert functions(await review(await example())) == WRONG
    assert len(killed) == 1


async def test_a_tree_that_fails_leaves_a_review_by_the_hunks_that_says_so() -> None:
    def fail() -> None:
        raise TreeError("the disk is gone")

    async with reviewer(Watched(fail)) as review:
        found = await review(await example())
    assert found.notes[0] == "reviewed without the tree: the disk is gone"
    assert [finding.rule for finding in found.findings] == ["half-converted-rculist"]


async def test_a_fault_of_ours_is_told_by_its_name_and_the_next_review_works() -> None:
    faults = [KeyError("no such file")]

    def fail() -> None:
        if faults:
            raise faults.pop()

    async with reviewer(Watched(fail)) as review:
        series = await example()
        with pytest.raises(ReviewError, match="the review failed: KeyError: 'no such file'"):
            await review(series)
        assert functions(await review(series)) == WRONG


async def test_a_cancelled_review_leaves_no_process() -> None:
    begun = asyncio.Event()
    async with reviewer(Watched(begun.set)) as review:
        task = asyncio.create_task(review(await example()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert active_children() == []


async def test_reviews_wait_for_their_turn() -> None:
    async with reviewer(Watched(lambda: None)) as review:
        series = await example()
        found = await asyncio.gather(*(review(series) for _ in range(3)))
    assert [functions(one) for one in found] == [WRONG] * 3


def test_closing_what_was_never_used_is_fine() -> None:
    Reviewer(NoTree(), Known()).close()
