"""gracewatch db upgrade and migrate-store: for whoever runs the database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from bot.cli.progress import progress
from bot.store import SqlStore
from bot.store.moving import moved


def upgrade(url: str) -> None:
    """Bring a schema up to date and say so.  Raises StoreError."""
    asyncio.run(_upgrade(url))


async def _upgrade(url: str) -> None:
    store = SqlStore(url)
    try:
        before, after = await store.upgrade()
    finally:
        await store.close()
    if before == after:
        print(f"{store.name}: its schema is the newest, {after}")
    else:
        print(f"{store.name}: its schema was brought from {before or 'nothing'} to {after}")


def move(source: str, target: str) -> None:
    """Copy a database into an empty one, and print what it held.  Raises StoreError."""
    asyncio.run(_move(source, target))


async def _move(source: str, target: str) -> None:
    here, there = SqlStore(source), SqlStore(target)
    async with AsyncExitStack() as stack:
        for store in (here, there):
            stack.push_async_callback(store.close)
        with progress() as shown:
            counts = await moved(here, there, shown.stage("rows", None).advance)
    for name, rows in counts.items():
        print(f"{rows:>10,}  {name}")
    print(f"{there.name} holds all that {here.name} held; {here.name} was left as it is")
