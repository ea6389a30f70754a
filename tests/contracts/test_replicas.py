"""What replicas promise each other through any store that they can share."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.lease import Lease, Memory
from bot.model import Address, Delivery, DeliveryState, Page, Series, SeriesState
from bot.ports import LeaseLostError, StoreError
from bot.ports.replicas import FEED, PAGE, REVIEW, Holdings
from bot.store import SqlStore
from handlers.delivery_due import interrupted
from handlers.feed_shared import ours_to_read
from tests.store.postgres import database, needs_postgres, postgres

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
LONG, OVER = timedelta(hours=1), timedelta(0)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["file", pytest.param("postgres", marks=needs_postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        with database(request.getfixturevalue("server"), f"t{uuid.uuid4().hex}") as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path}/gracewatch.db"


class Replicas:
    """Makes replicas of one database, and closes them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[SqlStore] = []

    async def one(self, name: str, lease: timedelta = LONG) -> SqlStore:
        store = SqlStore(self._url, lease=lease)
        self._open.append(store)
        await store.upgrade()
        await store.join(name)
        return store

    async def close(self) -> None:
        for store in self._open:
            await store.close()


@pytest.fixture
async def replicas(url: str) -> AsyncIterator[Replicas]:
    made = Replicas(url)
    yield made
    await made.close()


async def holdings(store: SqlStore) -> Holdings:
    async with store.reading() as work:
        return await work.holdings()


def series(key: str) -> Series:
    return Series(key, key, 1, key, Address("Ann", "ann@example.org"), 1, SeriesState.SETTLED, NOW)


async def test_what_one_replica_holds_no_other_can_have(replicas: Replicas) -> None:
    ann, bob = await replicas.one("ann"), await replicas.one("bob")
    async with ann.transaction() as work:
        assert await work.claim(FEED, ["kvm", "rcu"]) == ("kvm", "rcu")
    async with bob.transaction() as work:
        assert await work.claim(FEED, ["rcu", "mm"]) == ("mm",)
        assert await work.claim(REVIEW, ["rcu"]) == ("rcu",)  # another kind is another thing
        await work.let_go(FEED, ["rcu", "mm"])
    async with ann.transaction() as work:
        assert await work.claim(FEED, ["kvm", "rcu", "mm"]) == ("kvm", "rcu", "mm")
        await work.let_go(FEED)
    assert await holdings(bob) == {"ann": {}, "bob": {REVIEW: ("rcu",)}}


async def test_what_a_dead_replica_held_is_free_and_a_living_one_keeps_its_own(replicas: Replicas) -> None:
    dead, living = await replicas.one("dead", OVER), await replicas.one("living")
    async with dead.transaction() as work:
        await work.claim(FEED, ["kvm"])
    async with living.transaction() as work:
        await work.claim(FEED, ["rcu"])
        assert await work.bury() == ("dead",)
        assert await work.bury() == ()
        assert await work.claim(FEED, ["kvm"]) == ("kvm",)
    assert await holdings(living) == {"living": {FEED: ("kvm", "rcu")}}


async def test_who_was_taken_for_dead_saves_nothing_more(replicas: Replicas) -> None:
    stale, living = await replicas.one("stale", OVER), await replicas.one("living")
    async with stale.transaction() as work:
        await work.set_cursor("kvm", "1")  # its lease is over, but nobody else went on yet
    async with living.transaction() as work:
        await work.bury()
        await work.set_cursor("kvm", "2")
    with pytest.raises(LeaseLostError, match="stale lost its lease"):
        async with stale.transaction() as work:
            await work.set_cursor("kvm", "3")
    with pytest.raises(LeaseLostError, match="stale lost its lease"):
        await stale.renew()
    async with living.transaction() as work:
        assert await work.cursor("kvm") == "2"
    await stale.join("stale again")
    async with stale.transaction() as work:
        assert await work.cursor("kvm") == "2"


async def test_a_transaction_sees_all_that_others_saved_before_it_began(replicas: Replicas) -> None:
    ann, bob = await replicas.one("ann"), await replicas.one("bob")

    async def count(store: SqlStore) -> None:
        for _ in range(20):
            async with store.transaction() as work:
                now = int(await work.cursor("kvm") or "0")
                await asyncio.sleep(0)
                await work.set_cursor("kvm", str(now + 1))

    await asyncio.gather(count(ann), count(bob))
    async with ann.transaction() as work:
        assert await work.cursor("kvm") == "40"


async def test_an_event_that_reaches_two_replicas_is_taken_once(replicas: Replicas) -> None:
    ann, bob = await replicas.one("ann"), await replicas.one("bob")

    async def seen(store: SqlStore) -> bool:
        async with store.transaction() as work:
            return await work.seen_event("slack e1")

    assert sorted(await asyncio.gather(seen(ann), seen(bob))) == [False, True]


async def test_series_are_reviewed_by_one_replica_each(replicas: Replicas) -> None:
    ann, bob = await replicas.one("ann"), await replicas.one("bob")
    async with ann.transaction() as work:
        for key in "abc":
            await work.save_series(series(key))
    async with ann.transaction() as work:
        await work.claim(REVIEW, [one.thread for one in await work.due_series(NOW, 2)])
        assert [one.key for one in await work.due_series(NOW, 9)] == ["a", "b", "c"]
    async with bob.transaction() as work:
        assert [one.key for one in await work.due_series(NOW, 9)] == ["c"]
    await ann.leave()
    async with bob.transaction() as work:
        assert [one.key for one in await work.due_series(NOW, 9)] == ["a", "b", "c"]


async def test_a_page_is_looked_up_only_when_its_sender_is_dead(replicas: Replicas) -> None:
    sender, other = await replicas.one("sender"), await replicas.one("other")
    page = Delivery("k", "slack", "#kvm", "t", Page("x"), card=True)
    async with sender.transaction() as work:
        await work.queue(page)
        await work.save_delivery(replace(page, state=DeliveryState.SENDING))
    assert await interrupted(other) == 0
    assert (await holdings(other))["sender"] == {PAGE: ("k",)}
    await sender.leave()
    assert await interrupted(other) == 1
    async with other.transaction() as work:
        (again,) = await work.due_deliveries(NOW, 9)
        assert (again.state, again.attempts) == (DeliveryState.QUEUED, 1)


async def test_a_page_that_left_is_held_no_more(replicas: Replicas) -> None:
    sender = await replicas.one("sender")
    page = Delivery("k", "slack", "#kvm", "t", Page("x"), card=True)
    async with sender.transaction() as work:
        await work.queue(page)
        await work.save_delivery(replace(page, state=DeliveryState.SENDING))
        await work.save_delivery(replace(page, state=DeliveryState.SENT, remote_id="1"))
    assert await holdings(sender) == {"sender": {}}


async def test_how_fast_a_channel_was_spoken_in_is_known_to_all(replicas: Replicas) -> None:
    ann, bob = await replicas.one("ann"), await replicas.one("bob")
    async with ann.transaction() as work:
        await work.save_pace(("slack", "#kvm"), NOW)
        await work.save_pace(("slack", "#kvm"), NOW + LONG)
    async with bob.transaction() as work:
        assert await work.paces() == {("slack", "#kvm"): NOW + LONG}


async def test_feeds_are_shared_evenly_and_each_is_read_by_one(replicas: Replicas) -> None:
    feeds = ("kvm", "rcu", "mm", "netdev")
    ann = await replicas.one("ann")
    assert [feed for feed in feeds if await ours_to_read(ann, feed, feeds)] == list(feeds)
    bob = await replicas.one("bob")
    assert [feed for feed in feeds if await ours_to_read(bob, feed, feeds)] == []
    assert [feed for feed in feeds if await ours_to_read(ann, feed, feeds)] == ["mm", "netdev"]
    assert [feed for feed in feeds if await ours_to_read(bob, feed, feeds)] == ["kvm", "rcu"]
    assert [feed for feed in feeds if await ours_to_read(ann, feed, feeds)] == ["mm", "netdev"]
    await bob.leave()
    assert [feed for feed in feeds if await ours_to_read(ann, feed, feeds)] == list(feeds)


async def test_a_lease_that_is_renewed_outlives_its_length(replicas: Replicas) -> None:
    short = timedelta(seconds=3)
    store, other = await replicas.one("first", short), await replicas.one("other")
    lease = Lease(store, short)
    name = await lease.begin()
    renewing = asyncio.ensure_future(lease.lost())
    async with asyncio.timeout(60):
        while "first" in await holdings(other):  # nobody renews that one
            await interrupted(other)
            await asyncio.sleep(0.1)
    await interrupted(other)
    assert name in await holdings(other)
    renewing.cancel()
    await asyncio.gather(renewing, return_exceptions=True)
    await lease.end()
    assert set(await holdings(other)) == {"other"}


async def test_a_lease_that_others_ended_is_lost(replicas: Replicas) -> None:
    store, other = await replicas.one("first", OVER), await replicas.one("other")
    lease = Lease(store, timedelta(seconds=1))
    await lease.begin()
    await interrupted(other)
    async with asyncio.timeout(60):
        assert await lease.lost() == "it was renewed too late"


async def test_a_process_that_begins_again_need_not_wait_for_its_former_self(
    replicas: Replicas, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    killed = Memory(state)
    store = await replicas.one("one")
    name = await Lease(store, LONG, killed).begin()
    async with store.transaction() as work:
        await work.claim(FEED, ["kvm"])
    neighbour = Memory(state)  # in the same folder while the first one lives
    assert neighbour.former == ""
    killed.close()
    again = await replicas.one("two")
    heir = Memory(state)
    await Lease(again, LONG, heir).begin()
    heir.close()
    assert name not in await holdings(again)
    async with again.transaction() as work:
        assert await work.claim(FEED, ["kvm"]) == ("kvm",)


async def test_two_replicas_cannot_have_one_name(replicas: Replicas) -> None:
    await replicas.one("ann")
    with pytest.raises(StoreError):
        await replicas.one("ann")


async def test_who_only_looks_waits_for_no_transaction_and_sees_what_is_saved(replicas: Replicas) -> None:
    ann, bob = await replicas.one("ann"), await replicas.one("bob")
    async with ann.transaction() as work:
        await work.set_cursor("kvm", "1")
    async with ann.transaction() as work:
        await work.set_cursor("kvm", "2")
        await work.counts()
        async with bob.reading() as seen:
            assert await seen.cursor("kvm") == "1"
