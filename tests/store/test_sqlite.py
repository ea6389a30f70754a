"""The store on real files: crashes, two at once, and files that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine

from bot.model import Delivery, DeliveryState, Review, Series
from bot.ports import StoreError
from bot.store import SqlStore
from bot.store.schema import metadata
from tests.store import values


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/gracewatch.db"


async def cursor(store: SqlStore) -> str:
    async with store.transaction() as work:
        return await work.cursor("kvm")


async def set_cursor(store: SqlStore, position: str) -> None:
    async with store.transaction() as work:
        await work.set_cursor("kvm", position)


async def begun(store: SqlStore) -> None:
    async with store.transaction():
        pass


KILLED = """
import asyncio, sys
from bot.store import SqlStore
async def main():
    async with SqlStore(sys.argv[1]).transaction() as work:
        await work.set_cursor("kvm", "half done")
        await work.flush()
        print(await work.cursor("kvm"), flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_a_process_killed_in_a_transaction_leaves_the_old_state(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    await store.upgrade()
    await set_cursor(store, "before")
    await store.close()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, url(tmp_path), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"half done\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    after = SqlStore(url(tmp_path))
    assert await cursor(after) == "before"
    await set_cursor(after, "and on")
    assert await cursor(after) == "and on"
    await after.close()


async def test_two_stores_on_one_file_wait_for_each_other(tmp_path: Path) -> None:
    first, second = SqlStore(url(tmp_path)), SqlStore(url(tmp_path))
    await asyncio.gather(first.upgrade(), second.upgrade())

    async def count_up(store: SqlStore) -> None:
        for _ in range(20):
            async with store.transaction() as work:
                await work.set_cursor("kvm", str(int(await work.cursor("kvm") or 0) + 1))

    await asyncio.gather(count_up(first), count_up(second), count_up(first))
    assert await cursor(second) == "60"
    await first.close()
    await second.close()


async def test_ping_does_not_wait_for_a_transaction(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    await store.upgrade()
    async with store.transaction() as work:
        await work.set_cursor("kvm", "1")
        await work.flush()
        await asyncio.wait_for(store.ping(), 10)
    await store.close()


async def test_a_cancelled_transaction_is_forgotten_and_lets_the_next_in(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    await store.upgrade()
    inside = asyncio.Event()

    async def stuck() -> None:
        async with store.transaction() as work:
            await work.set_cursor("kvm", "stuck")
            await work.flush()
            inside.set()
            await asyncio.sleep(600)

    task = asyncio.create_task(stuck())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await cursor(store) == ""
    await store.close()


class CancelledAtPause:
    """Awaits ``work``, and cancels the task that does at the ``pause``-th time that it has to wait."""

    def __init__(self, work: Coroutine[Any, Any, None], pause: int) -> None:
        self._work = work
        self._left = pause

    @property
    def reached(self) -> bool:
        return self._left <= 0

    def __await__(self) -> Generator[Any, Any, None]:
        work = self._work.__await__()
        step: Callable[[], Any] = partial(next, work)
        while True:
            try:
                waits_for = step()
            except StopIteration:
                return
            self._left -= 1
            task = asyncio.current_task()
            if self._left == 0 and task is not None:
                task.cancel()
            try:
                step = partial(work.send, (yield waits_for))
            except BaseException as thrown:  # noqa: BLE001  it is the work's to handle
                step = partial(work.throw, thrown)


async def test_a_transaction_cancelled_at_any_point_leaves_no_lock_and_no_connection(tmp_path: Path) -> None:
    first = SqlStore(url(tmp_path))
    await first.upgrade()
    await first.close()
    reached, pause = True, 0
    while reached:
        pause += 1
        store = SqlStore(url(tmp_path))
        cancelled = CancelledAtPause(set_cursor(store, "half"), pause)
        task = asyncio.ensure_future(cancelled)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        other = sqlite3.connect(tmp_path / "gracewatch.db", timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM cursors")
        other.execute("COMMIT")
        other.close()
        await store.close()
        reached = cancelled.reached
    assert pause > 5  # while it connects, begins, writes, commits, gives back
    gc.collect()  # a connection that nobody closed would complain now


async def test_closing_waits_for_the_transaction_that_runs_and_admits_no_other(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    await store.upgrade()
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with store.transaction() as work:
            inside.set()
            await go_on.wait()
            await work.set_cursor("kvm", "slow")

    running = asyncio.create_task(slow())
    await inside.wait()
    closing = asyncio.create_task(store.close())
    late = asyncio.create_task(begun(store))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(running, closing)
    with pytest.raises(StoreError, match="it is closed"):
        await late
    again = SqlStore(url(tmp_path))
    assert await cursor(again) == "slow"
    await again.close()


async def test_the_callers_own_trouble_is_not_the_stores() -> None:
    store = SqlStore("sqlite://")
    await store.upgrade()
    with pytest.raises(BrokenPipeError):
        async with store.transaction():
            raise BrokenPipeError
    await store.close()


async def test_a_database_in_memory_serves_tasks_one_after_the_other() -> None:
    store = SqlStore("sqlite://")
    await store.upgrade()
    await asyncio.gather(*(set_cursor(store, str(number)) for number in range(5)), store.ping())
    assert await cursor(store) in set("01234")
    await store.close()


async def test_the_folder_of_the_file_is_made(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path / "deep" / "down"))
    await store.upgrade()
    await store.close()
    assert (tmp_path / "deep" / "down" / "gracewatch.db").is_file()


async def test_a_folder_that_cannot_be_made_is_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", "utf-8")
    store = SqlStore(url(tmp_path / "file" / "state"))
    with pytest.raises(StoreError, match=r"file/state cannot be made .* set state.folder or store.url"):
        await store.upgrade()
    with pytest.raises(StoreError, match="missing or not writable; make it so"):
        await store.ping()
    await store.close()


async def test_a_corrupt_file_is_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "gracewatch.db").write_bytes(b"this is no database" * 1000)
    store = SqlStore(url(tmp_path))
    for attempt in (store.upgrade, store.ping):
        with pytest.raises(StoreError, match=r"gracewatch\.db: file is not a database; restore the file from a backup"):
            await attempt()
    with pytest.raises(StoreError, match="restore the file from a backup"):
        await begun(store)
    await store.close()


async def test_a_newer_schema_is_left_alone(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    await store.upgrade()
    await store.close()
    with sqlite3.connect(tmp_path / "gracewatch.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    store = SqlStore(url(tmp_path))
    for attempt in (store.upgrade, store.ping):
        with pytest.raises(StoreError, match="newer gracewatch"):
            await attempt()
    await store.close()


async def test_an_empty_file_is_too_old_until_it_is_upgraded(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    with pytest.raises(StoreError, match="schema is too old"):
        await store.ping()
    with pytest.raises(StoreError, match="start gracewatch once"):
        await cursor(store)
    await store.upgrade()
    await store.ping()
    await store.close()


@pytest.mark.parametrize("bad", ["nonsense", "mysql://x/y", ""])
def test_a_url_of_no_use_is_told_with_the_cure(bad: str) -> None:
    with pytest.raises(StoreError, match=r"write sqlite:///folder/gracewatch\.db"):
        SqlStore(bad)


async def test_the_migrations_build_the_schema_that_the_code_knows(tmp_path: Path) -> None:
    store = SqlStore(url(tmp_path))
    await store.upgrade()
    await store.close()
    engine = create_engine(url(tmp_path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def saved_and_read(series: Series, review: Review, delivery: Delivery) -> tuple[object, object, object]:
    store = SqlStore("sqlite://")
    await store.upgrade()
    async with store.transaction() as work:
        await work.save_series(series)
        await work.add_review(review)
        await work.queue(delivery)
        await work.save_delivery(delivery)
    async with store.transaction() as work:
        read = await work.series(series.key), await work.review(review.series)
        sending = await work.interrupted_deliveries()
        due = await work.due_deliveries(datetime.max.replace(tzinfo=UTC), 1)
    await store.close()
    unfinished = (*sending, *due)
    return *read, unfinished[0] if unfinished else delivery


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values.series, values.reviews, values.deliveries)
def test_any_value_comes_back_from_the_database(series: Series, review: Review, delivery: Delivery) -> None:
    assert asyncio.run(saved_and_read(series, review, delivery)) == (series, review, delivery)


def test_states_are_stored_by_the_words_that_the_index_names() -> None:
    assert {DeliveryState.QUEUED.value, DeliveryState.SENDING.value} == {"queued", "sending"}
