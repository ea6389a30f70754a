"""What the settings say of telling people: the channels that are told, their maintainers, and rules that are pinned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from bot.report.bar import USUAL, Bar


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a chat that is told, and what it wants to hear of."""

    chat: str
    channel: str
    bar: Bar = USUAL


@dataclass(frozen=True, slots=True)
class Maintainers:
    """Who decides for a channel ("*": for every channel): ids of people, and of groups that the chat knows."""

    channel: str
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """``bar`` is for channels that subscribed by themselves; ``pinned`` rules are never demoted.

    ``private`` are the chats that talk with one person alone.  ``operators`` are told how feeds do, of a failure once
    it has lasted for longer than ``patience``.
    """

    places: tuple[Place, ...] = ()
    bar: Bar = USUAL
    pinned: frozenset[str] = frozenset()
    maintainers: tuple[Maintainers, ...] = ()
    private: frozenset[str] = frozenset()
    operators: tuple[Place, ...] = ()
    patience: timedelta = timedelta(minutes=30)
