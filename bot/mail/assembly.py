"""All series in a heap of mails at once, the same whatever order the mails come in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeAlias

from bot.mail import kinship, runs
from bot.mail.series import add, settle
from bot.model import Message, Patch, Series, SubjectKind

Letter: TypeAlias = tuple[Message, Patch | None]

_MOST_KIN = 100
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Assembly:
    """The series so far, found again by everything that a further mail may know of them."""

    def __init__(self) -> None:
        self._series: dict[str, Series] = {}
        self._marks: dict[tuple[str, str], dict[str, None]] = {}

    def add(self, message: Message, patch: Patch | None, now: datetime, patience: timedelta) -> Series | None:
        """Take one mail in, and return the series it is in."""
        known = self._known([("id", message.id), *(("id", parent) for parent in message.parents)])
        if patch is not None or message.subject.total is not None:
            known |= self._known([("key", runs.key(message)), *_descriptions(message), ("parent", message.id)])
        grown = add(tuple(known.values()), message, patch, now, patience)
        if grown is None:
            return None
        if grown is not self._series.get(grown.key):
            self._series[grown.key] = grown
            marks = [("key", grown.key), ("id", message.id), *_descriptions(message)]
            marks += [("parent", parent) for parent in message.parents[:1]]
            if grown.change_id:
                marks.append(("change", grown.change_id))
            for mark in marks:
                self._marks.setdefault(mark, {})[grown.key] = None
        return grown

    def settled(self, now: datetime) -> tuple[Series, ...]:
        """Every series as it stands at ``now``, in the order of their first mails."""
        return tuple(settle(series, now) for series in self._series.values())

    def _known(self, marks: Iterable[tuple[str, str]]) -> dict[str, Series]:
        """Those with one of these marks; of very many the newest, so that a thousand mails of one title stay cheap."""
        keys = (key for mark in marks for key in islice(reversed(self._marks.get(mark, {})), _MOST_KIN))
        return {key: self._series[key] for key in keys}


def assemble(letters: Iterable[Letter], now: datetime) -> tuple[Series, ...]:
    """The series of all these mails, settled: nothing more is waited for.

    Parts are taken oldest first, a cover before the patches of the same second, and then what answers them.  So the
    order in which the mails are given does not matter.
    """
    assembly = Assembly()
    for message, patch in sorted(letters, key=_order):
        assembly.add(message, patch, now, timedelta(0))
    return assembly.settled(now)


def _order(letter: Letter) -> tuple[bool, datetime, int, str]:
    message, patch = letter
    answer = patch is None and message.subject.kind is not SubjectKind.COVER
    return answer, message.sent_at or _LONG_AGO, message.subject.index or 0, message.id


def _descriptions(message: Message) -> list[tuple[str, str]]:
    """Author with title, author with place in a series, change-id: what versions and unthreaded parts share."""
    subject = message.subject
    marks = []
    for who in {message.sender.email, message.sender.name.casefold()} - {""}:
        marks.append(("title", f"{who}\0{kinship.plain(subject.title)}"))
        if subject.total and not message.parents:
            marks.append(("loose", f"{who}\0{subject.version}\0{subject.total}"))
    if message.change_id:
        marks.append(("change", message.change_id))
    return marks
