"""Everything that a database holds arrives in another one, or nothing does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.model import (
    Deed,
    Delivery,
    DeliveryState,
    FeedState,
    Habits,
    Mute,
    MuteKind,
    Page,
    Person,
    Review,
    Subscription,
    Text,
    Triage,
    Unreadable,
    Verdict,
)
from bot.ports import StoreError
from bot.store import SqlStore
from bot.store.moving import TABLES, moved
from tests.contracts.test_stores import NOW, finding, message, raw, series
from tests.journeys.gracewatch import gracewatch
from tests.store.postgres import database, needs_postgres, postgres

ANN = Person("slack", "U1")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def target(server: str) -> Iterator[str]:
    with database(server, f"t{uuid.uuid4().hex}") as url:
        yield url


async def filled(url: str) -> SqlStore:
    """A database with something in every table, as odd as mail makes it."""
    store = SqlStore(url)
    await store.upgrade()
    card = Delivery("k", "slack", "#kvm", "t", Page("\udcff", parts=(Text("x\x00"),)), card=True, slot="card")
    async with store.transaction() as work:
        await work.save_series(series("s\udcff", "p1", "p2", thread="t"))
        await work.add_message(message("p1"), raw("p1"), "s\udcff")
        await work.add_unreadable(Unreadable("kvm 1", "no id \x00"), "kvm")
        await work.set_cursor("kvm", "9")
        await work.save_feed_state(FeedState("kvm"))
        await work.add_review(Review("s\udcff", (finding("one"), finding("two"))))
        await work.queue(card)
        await work.save_delivery(replace(card, state=DeliveryState.SENT, remote_id="1.2"))
        await work.save_pace(("slack", "#kvm"), NOW)
        await work.seen_event("slack e1")
        await work.set_verdict(Triage("f", "one", Verdict.ACK, ANN, NOW, "because"))
        for _ in range(3):
            number = await work.add_mute(Mute("slack", "#kvm", MuteKind.RULE, "one", ANN, NOW, None))
        await work.drop_mute(number)
        await work.add_subscription(Subscription("slack", "#kvm", "rule:one", ANN, NOW))
        await work.set_habits("slack", "#kvm", Habits())
        await work.set_address(ANN, "ann@example.org")
        await work.note_deed(Deed(ANN, "#kvm", "ack f", "done", NOW))
        await work.stir("t", NOW)
    return store


async def held(store: SqlStore) -> dict[str, list[tuple[Any, ...]]]:
    async with store.transaction() as work:
        return {
            table.name: [tuple(row) for row in await work.rows(select(table).order_by(*table.primary_key))]
            for table in TABLES
        }


@needs_postgres
async def test_all_of_it_arrives_and_comes_back(tmp_path: Path, target: str) -> None:
    here, there = await filled(f"sqlite:///{tmp_path}/a.db"), SqlStore(target)
    back = SqlStore(f"sqlite:///{tmp_path}/b.db")
    counts = await moved(here, there)
    assert all(counts.values()), "the test leaves a table empty"
    await moved(there, back)
    before = await held(here)
    assert await held(there) == before
    assert await held(back) == before
    for store in (here, there, back):
        async with store.transaction() as work:  # 3 was a mute that people saw
            assert await work.add_mute(Mute("slack", "#kvm", MuteKind.RULE, "two", ANN, NOW, None)) == 4
            assert await work.queue(Delivery("k2", "slack", "#kvm", "t", Page("next")))
        await store.close()


@needs_postgres
async def test_what_is_not_empty_is_left_as_it_is(tmp_path: Path, target: str) -> None:
    here, there = await filled(f"sqlite:///{tmp_path}/a.db"), SqlStore(target)
    await there.upgrade()
    async with there.transaction() as work:
        await work.set_cursor("rcu", "1")
    with pytest.raises(StoreError, match="is not empty, it holds 1 cursors; name a new database"):
        await moved(here, there)
    async with there.transaction() as work:
        assert (await work.counts())["messages"] == 0
    for store in (here, there):
        await store.close()


async def test_a_database_in_which_a_service_is_at_work_is_not_copied(tmp_path: Path) -> None:
    here, there = await filled(f"sqlite:///{tmp_path}/a.db"), SqlStore(f"sqlite:///{tmp_path}/b.db")
    await here.join("busy")
    with pytest.raises(StoreError, match=r"a service is at work in it \(busy\); stop it first"):
        await moved(here, there)
    await here.leave()
    await moved(here, there)
    for store in (here, there):
        await store.close()


async def test_a_copy_that_is_interrupted_leaves_nothing_and_can_be_begun_again(tmp_path: Path) -> None:
    here, there = await filled(f"sqlite:///{tmp_path}/a.db"), SqlStore(f"sqlite:///{tmp_path}/b.db")
    left = 5

    def told(_rows: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await moved(here, there, told)
    async with there.transaction() as work:
        assert (await work.counts())["messages"] == 0
    assert await moved(here, there)
    for store in (here, there):
        await store.close()


@needs_postgres
async def test_the_command_line_moves_a_store_and_says_what_it_held(tmp_path: Path, target: str) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    await (await filled(url)).close()
    done = gracewatch("migrate-store", url, target)
    assert done.returncode == 0, done.stderr
    assert b"         1  messages\n" in done.stdout
    assert b"was left as it is" in done.stdout
    again = gracewatch("migrate-store", url, target)
    assert again.returncode == 2
    assert b"is not empty" in again.stderr


def test_the_command_line_brings_a_schema_up_to_date(tmp_path: Path) -> None:
    place = {"GRACEWATCH_STORE_URL": f"sqlite:///{tmp_path}/new.db"}
    first = gracewatch("db", "upgrade", others=place)
    assert first.returncode == 0, first.stderr
    assert b"was brought from nothing to 0" in first.stdout
    assert b"is the newest" in gracewatch("db", "upgrade", others=place).stdout
