"""A reply came, a mute began or quiet hours ended: what channels see of a thread is made anew."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from bot.ports import Clock, Store, StoreError
from handlers.policy import Policy
from handlers.telling import tell

LOG = structlog.get_logger("telling")

_AT_ONCE = 20


async def thread_stirred(
    store: Store, clock: Clock, policy: Policy, going_on: Callable[[], bool] = lambda: True
) -> int:
    """See to every thread whose time has come, a transaction for each, and return how many there were.

    One that cannot be told holds up no other: it is left until something stirs it again.  Raises StoreError.
    """
    seen = 0
    while going_on():
        async with store.transaction() as transaction:
            due = await transaction.stirred(clock.now(), _AT_ONCE)
        for thread in due:
            try:
                await _seen_to(thread, store, clock, policy)
            except StoreError:
                raise
            except Exception:
                LOG.exception("a thread could not be told", thread=thread)
                async with store.transaction() as transaction:
                    await transaction.calm(thread, clock.now())
        seen += len(due)
        if not due:
            break
    return seen


async def _seen_to(thread: str, store: Store, clock: Clock, policy: Policy) -> None:
    async with store.transaction() as transaction:
        # First, so that what stirs it again while it is told, as quiet hours do, stays.
        if not await transaction.calm(thread, clock.now()):
            return
        # Most threads that people talk in have no findings, and nobody was told of them.
        if await transaction.followers(thread) or await transaction.findings(thread):
            await tell(transaction, thread, policy, clock.now())
