"""A database that an earlier gracewatch wrote goes on where it was: nothing is told again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from bot.model import Delivery, Page
from bot.ports import StoreError
from bot.store import SqlStore
from bot.store.codec import dumps
from bot.store.engine import parsed
from bot.store.migrate import configuration, newest
from handlers.delivery_due import interrupted
from tests.store.postgres import database, needs_postgres, postgres


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/gracewatch.db"
        return
    with postgres() as server, database(server, "old") as url:
        yield url


async def old(url: str) -> None:
    """A database of the first schema: a card and two replies that were sent, one told again in v3; one half sent."""
    engine = create_async_engine(parsed(url))
    rows = [("card/0123", True, "sent"), ("reply/aaaa", False, "sent"), ("reply/aaaa@v3", False, "sent")]
    rows += [("reply/bbbb+", False, "sent"), ("reply/cccc", False, "sending")]

    def fill(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for key, card, state in rows:
            remote = f"id {key}" if state == "sent" else ""
            row = {"key": f"slack/#kvm/t/{key}", "card": card, "state": state, "page": dumps(Page(key)), "id": remote}
            connection.execute(
                text(
                    "INSERT INTO deliveries (key, chat, channel, thread, card, page, state, attempts, remote_id, error)"
                    " VALUES (:key, 'slack', '#kvm', 't', :card, :page, :state, 0, :id, '')"
                ),
                row,
            )
        connection.execute(text("INSERT INTO cursors (feed, position) VALUES ('kvm', '7')"))

    async with engine.begin() as connection:
        await connection.run_sync(fill)
    await engine.dispose()


async def test_what_was_told_stays_told_and_can_be_edited(url: str) -> None:
    await old(url)
    store = SqlStore(url)
    with pytest.raises(StoreError, match="schema is too old"):
        await store.ping()
    assert await store.upgrade() == ("0001", newest())
    await store.ping()
    async with store.transaction() as work:
        assert await work.told("slack", "#kvm", "t") == {
            "reply/aaaa": ("aaaa",),
            "reply/aaaa@v3": ("aaaa",),
            "reply/bbbb+": ("bbbb",),
            "reply/cccc": ("cccc",),
        }
        assert await work.cursor("kvm") == "7"
        edit = Delivery("slack/#kvm/t/reply/aaaa", "slack", "#kvm", "t", Page("fixed"), slot="reply/aaaa")
        assert await work.show(edit)
        standing = await work.standing(edit)
        assert standing is not None
        assert standing.remote_id == "id reply/aaaa"
        card = await work.card("slack", "#kvm", "t")
        assert card is not None
        assert card.slot == "card"
    assert await interrupted(store) == 1  # it is looked up before it is sent
    await store.close()


async def test_databases_are_brought_up_to_date_side_by_side(tmp_path: Path) -> None:
    stores = [SqlStore(f"sqlite:///{tmp_path}/{number}.db") for number in range(4)]
    await asyncio.gather(*(store.upgrade() for store in stores))
    for store in stores:
        await store.ping()
        await store.close()
