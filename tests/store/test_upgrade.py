"""A database that an earlier gracewatch wrote goes on where it was: nothing is told again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine, text

from bot.model import Delivery, Page
from bot.store import SqlStore
from bot.store.codec import dumps
from bot.store.migrate import configuration


def old(url: str) -> None:
    """A database of the first schema, with a card and two replies that were sent, one of them told again in v3."""
    engine = create_engine(url)
    with engine.begin() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for key, card in (("card/0123", True), ("reply/aaaa", False), ("reply/aaaa@v3", False), ("reply/bbbb+", False)):
            row = {"key": f"slack/#kvm/t/{key}", "card": card, "page": dumps(Page(key)), "id": f"id {key}"}
            connection.execute(
                text(
                    "INSERT INTO deliveries (key, chat, channel, thread, card, page, state, attempts, remote_id, error)"
                    " VALUES (:key, 'slack', '#kvm', 't', :card, :page, 'sent', 0, :id, '')"
                ),
                row,
            )
    engine.dispose()


async def test_what_was_told_stays_told_and_can_be_edited(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gracewatch.db"
    old(url)
    store = SqlStore(url)
    await store.upgrade()
    async with store.transaction() as work:
        assert await work.told("slack", "#kvm", "t") == {
            "reply/aaaa": ("aaaa",),
            "reply/aaaa@v3": ("aaaa",),
            "reply/bbbb+": ("bbbb",),
        }
        edit = Delivery("slack/#kvm/t/reply/aaaa", "slack", "#kvm", "t", Page("fixed"), slot="reply/aaaa")
        assert await work.show(edit)
        standing = await work.standing(edit)
        assert standing is not None
        assert standing.remote_id == "id reply/aaaa"
        card = await work.card("slack", "#kvm", "t")
        assert card is not None
        assert card.slot == "card"
    await store.close()


async def test_databases_are_brought_up_to_date_side_by_side(tmp_path: Path) -> None:
    stores = [SqlStore(f"sqlite:///{tmp_path}/{number}.db") for number in range(4)]
    await asyncio.gather(*(store.upgrade() for store in stores))
    for store in stores:
        await store.ping()
        await store.close()
