"""What a command is handed to answer with: the doors of the house, and nothing that is built behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from bot.model import Review, Series
from bot.ports import Archive, Store
from bot.rule import Rule
from handlers.policy import Place, Policy
from handlers.previewed import Said


def _nothing_more() -> Sequence[tuple[str, str]]:
    return ()


def _now() -> datetime:
    return datetime.now(UTC)


async def _nobody(chat: str, group: str) -> frozenset[str]:  # noqa: ARG001  a chat without groups
    return frozenset()


Preview: TypeAlias = Callable[[Place, str, timedelta], Awaitable[tuple[Said, ...]]]


@dataclass(frozen=True, slots=True)
class Doors:
    """``review`` runs the rules over a series as it is now and saves nothing.

    ``about`` gives label and value pairs that ``status`` shows beside the store's counts: version, feeds, tree.
    ``archive`` has the threads that came in by no feed; None where nothing may be fetched.
    ``members`` gives the people of a chat's group.
    ``feeds`` are the names of those that are read.  ``preview`` says what a channel would have been told in the last
    days, by a filter or, without one, by its own subscriptions; None where nothing was kept.
    """

    store: Store
    rules: Callable[[], tuple[Rule, ...]]
    review: Callable[[Series], Awaitable[Review]]
    about: Callable[[], Sequence[tuple[str, str]]] = _nothing_more
    archive: Archive | None = None
    policy: Policy = field(default_factory=Policy)
    now: Callable[[], datetime] = _now
    members: Callable[[str, str], Awaitable[frozenset[str]]] = _nobody
    preview: Preview | None = None
    feeds: frozenset[str] = frozenset()
