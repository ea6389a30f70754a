"""A preview says what the service says: the same pages in the same order, and nothing is sent or saved by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.model import Mute, MuteKind, Person, Review, Series
from bot.report.bar import Bar
from bot.store import SqlStore
from handlers.policy import Place
from handlers.previewed import Said, previewed
from tests.handlers.outbox import CHANNEL, Outbox, Troubled, outbox
from tests.handlers.test_series_settled import ALL, Findings, save, settle
from tests.report.making import ERROR_PATH, RELEASE, series

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def sent(version: int, ago: timedelta) -> Series:
    """A version of the work, whose parts were all sent so long ago."""
    plain = series(version)
    at = NOW - ago
    patches = tuple(replace(patch, message=replace(patch.message, sent_at=at)) for patch in plain.patches)
    cover = replace(plain.cover, sent_at=at) if plain.cover else None
    return replace(plain, patches=patches, cover=cover, settles_at=NOW + DAY)


@asynccontextmanager
async def empty() -> AsyncIterator[SqlStore]:
    store = SqlStore("sqlite://")
    try:
        await store.upgrade()
        yield store
    finally:
        await store.close()


async def nobody(series: Series) -> Review:
    raise AssertionError(f"{series.key} was reviewed before")


async def preview(it: Outbox, ago: timedelta, place: Place = ALL[0], look: Findings | None = None) -> list[Said]:
    async with empty() as scratch:
        return list(await previewed(it.store, scratch, look or nobody, place, NOW - ago, NOW + 2 * DAY))


async def shown(said: list[Said]) -> str:
    """What a console prints of these pages."""
    chat, thread = Troubled(), ""
    for number, one in enumerate(said):
        if one.edit:
            await chat.edit(CHANNEL, thread, one.page)
        elif one.card:
            thread = await chat.post(CHANNEL, one.page, thread="", delivery=str(number))
        else:
            await chat.post(CHANNEL, one.page, thread=thread, delivery=str(number))
    return chat.said


async def test_the_pages_are_those_that_the_service_posts(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        look = Findings({"v1": (RELEASE, ERROR_PATH), "v2": (RELEASE,)})
        for version, ago in ((1, 5 * DAY), (2, 3 * DAY), (3, 1 * DAY)):
            await save(it, sent(version, ago))
            await settle(it, look)
            await it.deliver()
        counts = await it.counts()
        said = await preview(it, 7 * DAY)
        assert await shown(said) == it.chat.said
        assert "Fixed in v3" in it.chat.said
        assert [one.edit for one in said if one.card] == [False, True, True]
        assert [one.at for one in said] == sorted(one.at for one in said)
        assert await it.counts() == counts


async def test_earlier_versions_are_known_and_not_told_again(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        look = Findings({"v1": (RELEASE, ERROR_PATH), "v2": (RELEASE,)})
        for version, ago in ((1, 50 * DAY), (2, 2 * DAY)):
            await save(it, sent(version, ago))
            await settle(it, look)
        card, *replies = await preview(it, 7 * DAY)
        assert (card.card, card.edit) == (True, True)
        assert "v2: 1 fixed, 1 still open, 0 new" in str(card.page)
        assert all(reply.edit for reply in replies)


async def test_work_that_is_older_is_not_told(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, sent(1, 9 * DAY))
        await settle(it, Findings({"v1": (RELEASE,)}))
        assert await preview(it, 7 * DAY) == []
        assert len(await preview(it, 10 * DAY)) == 2


async def test_a_channel_hears_what_passes_its_own_bar(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, sent(1, DAY))
        await settle(it, Findings({"v1": (RELEASE,)}), places=())
        assert len(await preview(it, 7 * DAY)) == 2
        assert await preview(it, 7 * DAY, Place("console", CHANNEL, Bar(confidence=0.99))) == []


async def test_what_was_not_reviewed_yet_is_reviewed_and_not_saved(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, sent(1, DAY))
        look = Findings({"v1": (RELEASE,)})
        assert len(await preview(it, 7 * DAY, look=look)) == 2
        assert look.asked == ["v1"]
        assert (await it.counts())["reviews"] == 0


async def test_what_a_channel_muted_is_not_told(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await save(it, sent(1, DAY))
        await settle(it, Findings({"v1": (RELEASE,)}), places=())
        async with it.store.transaction() as transaction:
            who = Person("console", "ada")
            await transaction.add_mute(Mute("console", CHANNEL, MuteKind.RULE, RELEASE.rule, who, NOW))
            await transaction.add_mute(Mute("console", "#else", MuteKind.PATH, "*", who, NOW))
        assert await preview(it, 7 * DAY) == []
        assert len(await preview(it, 7 * DAY, Place("console", "#another"))) == 2
