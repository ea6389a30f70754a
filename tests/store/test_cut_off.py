"""A replica that is cut off from PostgreSQL holds up no other, and saves nothing late."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.lease import Lease
from bot.ports import LeaseLostError, StoreError
from bot.store import SqlStore
from handlers.delivery_due import interrupted
from tests.store.postgres import database, needs_postgres, postgres
from tests.store.wire import wire

pytestmark = needs_postgres
SHORT = timedelta(seconds=2)
PATIENCE = 120  # seconds until a test gives up


@pytest.fixture
def url() -> Iterator[str]:
    with postgres() as server, database(server, f"t{uuid.uuid4().hex}") as name:
        yield name


async def test_a_replica_cut_off_in_a_transaction_loses_its_turn_and_its_lease(url: str) -> None:
    async with wire(url) as (through, cable), asyncio.timeout(PATIENCE):
        stale, living = SqlStore(through, lease=SHORT), SqlStore(url, lease=SHORT)
        await living.upgrade()
        await living.join("living")
        lease = Lease(stale, SHORT)
        await lease.begin()
        working = asyncio.Event()

        async def work() -> None:
            async with stale.transaction() as transaction:
                await transaction.claim("feed", ["kvm"])
                await transaction.set_cursor("kvm", "stale")
                working.set()
                await asyncio.Event().wait()

        begun = asyncio.create_task(work())
        await working.wait()
        cable.cut()
        lost = asyncio.create_task(lease.lost())
        async with living.transaction() as transaction:  # waits until the server ends what is idle
            assert await transaction.claim("feed", ["kvm"]) == ("kvm",)
            await transaction.set_cursor("kvm", "living")
        assert await lost == "the database did not answer"
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
        others = 1
        while others:
            await living.renew()
            await interrupted(living)
            async with living.reading() as seen:
                others = len(await seen.holdings()) - 1
        cable.mend()
        with pytest.raises(LeaseLostError):
            async with stale.transaction():
                pass
        await lease.begin()
        async with stale.transaction() as transaction:
            assert await transaction.cursor("kvm") == "living"
        for store in (stale, living):
            await store.close()


async def test_who_waits_for_a_database_that_is_gone_hears_of_it(url: str) -> None:
    async with wire(url) as (through, cable), asyncio.timeout(PATIENCE):
        store = SqlStore(through)
        await store.upgrade()

        async def ask() -> None:
            async with store.transaction() as transaction:
                cable.cut()
                asyncio.get_running_loop().call_later(0.1, store.abandon)
                await transaction.cursor("kvm")

        with pytest.raises(StoreError, match="closed"):
            await ask()
        cable.mend()
        await store.ping()
        await store.close()
