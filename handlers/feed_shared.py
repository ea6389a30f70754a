"""A feed is to be read: see to it that one replica reads it, and that each replica has its share of the feeds."""

from __future__ import annotations

from collections.abc import Sequence

from bot.ports import Store
from bot.ports.replicas import FEED


async def ours_to_read(store: Store, feed: str, feeds: Sequence[str]) -> bool:
    """Is a feed this replica's to read?  It stays so, since a reader remembers what it saw and keeps its mirror.

    Who has more than a share of the ``feeds`` lets go of one, and who has less takes what is free.  Raises StoreError.
    """
    if not store.replica:
        return True
    async with store.transaction() as transaction:
        holdings = await transaction.holdings()
        held = set(holdings[store.replica].get(FEED, ())) & set(feeds)
        share = -(-len(feeds) // len(holdings))
        if feed in held:
            if len(held) > share:
                await transaction.let_go(FEED, [feed])
            return len(held) <= share
        return len(held) < share and bool(await transaction.claim(FEED, [feed]))
