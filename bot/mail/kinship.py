"""Which series a mail belongs to, and which series are versions of one work: never by References alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from bot.mail import runs
from bot.model import Address, Message, Series, Subject

_LOOSE = timedelta(days=1)  # parts sent without any threading lie this close
_LOOSE_RUNS = timedelta(hours=1)  # and closer still when each was sent by a command of its own
_SAME_VERSION = timedelta(days=90)  # the same title and version again: later than this it is other work
_NO_WORD = re.compile(r"[\W_]+")
_RFC, _RESEND = "RFC", "RESEND"


def home(known: Sequence[Series], message: Message) -> Series | None:
    """The series that a patch or a cover is a part of."""
    for series in known:
        if message.id in series.message_ids:
            return series
    own = runs.key(message)
    for series in known:
        if series.key == own:
            return series
    return next((series for series in known if _is_part(series, message)), None)


def answered(known: Sequence[Series], message: Message) -> Series | None:
    """The series that a reply speaks of: the one with the nearest of its ancestors."""
    holders = [(series, _all_ids(series)) for series in known]
    for parent in message.parents:
        for series, ids in holders:
            if parent in ids:
                return series
    return None


def thread(series: Series, known: Sequence[Series]) -> str:
    """The thread of the work that a series is a version of; its own key when it is the first."""
    related = [other for other in known if other.key != series.key and _is_version(series, other)]
    if related:
        return max(related, key=lambda other: _closeness(series, other)).thread
    return runs.digest("change", series.change_id) if series.change_id else series.key


def same_author(one: Address, other: Address) -> bool:
    """People change employers and keep their names."""
    return (one.email == other.email and bool(one.email)) or (
        bool(one.name.strip()) and one.name.casefold() == other.name.casefold()
    )


@lru_cache(maxsize=10_000)
def plain(title: str) -> str:
    """A title without what changes between two sendings: case, blanks, punctuation."""
    return _NO_WORD.sub(" ", title.casefold()).strip()


def _is_part(series: Series, message: Message) -> bool:
    """Does a part that has another key belong here all the same?"""
    subject = message.subject
    members = _members(series)
    if _joins_cover(series, message) or _counts_itself(series, message) or _takes_place(series, message):
        return True
    if (
        series.expected != max(subject.total or 1, 1)
        or series.version != subject.version
        or not same_author(series.author, message.sender)
    ):
        return False
    if (_RFC in series.tags) != (_RFC in subject.tags):
        # Only the cover may say RFC; then the parts hang right below it.
        return _is_free(series, subject) and _is_child(members, message)
    if _sent_again(series, message):
        return True
    if subject.total is None or not (_is_free(series, subject) or subject.amendment):
        return False
    return _is_threaded(members, message) or _is_loose(members, message)


def _joins_cover(series: Series, message: Message) -> bool:
    """Were a cover and patches sent in one run, although the cover tells another version?"""
    subject = message.subject
    if subject.total is None or series.expected != max(subject.total, 1):
        return False
    apart = series.cover is None if subject.index == 0 else not series.patches
    return apart and any(runs.of_one_run(message.id, member.id) for member in _members(series))


def _counts_itself(series: Series, message: Message) -> bool:
    """Are these a cover ``0/3`` and the patches ``1/2`` and ``2/2`` right below it?"""
    subject = message.subject
    if subject.total is None or series.version != subject.version or not same_author(series.author, message.sender):
        return False
    apart = series.cover is None if subject.index == 0 else not series.patches
    more = subject.total - series.expected if subject.index == 0 else series.expected - subject.total
    return apart and more == 1 and _is_child(_members(series), message)


def _takes_place(series: Series, message: Message) -> bool:
    """Is this ``[PATCH v6 10/12]``, sent alone, in answer to 10/12 of v5?  Then it is v5 with one part replaced."""
    subject = message.subject
    if not subject.index or subject.total != series.expected or subject.version <= series.version:
        return False
    ids = set(series.message_ids)
    nearest = next((parent for parent in message.parents if parent in ids), None)
    there = next((patch.message for patch in series.patches if patch.index == subject.index), None)
    return there is not None and there.id == nearest and same_author(there.sender, message.sender)


def _sent_again(series: Series, message: Message) -> bool:
    """A RESEND, or a part of v5.1, says what is there already, under the same title."""
    tags = {tag for member in _members(series) for tag in member.subject.tags}
    if _RESEND not in tags and _RESEND not in message.subject.tags and not message.subject.amendment:
        return False
    title = plain(message.subject.title)
    if message.subject.index == 0:
        return plain(series.title) == title
    place = message.subject.index or 1
    return any(patch.index == place and plain(patch.message.subject.title) == title for patch in series.patches)


def _is_free(series: Series, subject: Subject) -> bool:
    if subject.index == 0:
        return series.cover is None
    return all(patch.index != subject.index for patch in series.patches)


def _is_threaded(members: Sequence[Message], message: Message) -> bool:
    ids = {member.id for member in members}
    if not ids.isdisjoint(message.parents):
        return True
    return any(
        member.parents and (member.parents[0] == message.id or member.parents[:1] == message.parents[:1])
        for member in members
    )


def _is_child(members: Sequence[Message], message: Message) -> bool:
    """Does a part answer the cover, or the cover get the answers?"""
    if message.subject.index == 0:
        return any(member.parents[:1] == (message.id,) for member in members)
    return any(member.subject.index == 0 and message.parents[:1] == (member.id,) for member in members)


def _is_loose(members: Sequence[Message], message: Message) -> bool:
    """Nothing threaded at all, sent at the same time: somebody's mailer does not thread."""
    if message.parents or message.sent_at is None or any(member.parents for member in members):
        return False
    apart = _LOOSE_RUNS if runs.run(message.id) else _LOOSE
    return any(member.sent_at and abs(member.sent_at - message.sent_at) < apart for member in members)


def _is_version(series: Series, other: Series) -> bool:
    """Is ``other`` another version of the same work?"""
    if series.change_id and series.change_id == other.change_id:
        return True
    if not same_author(series.author, other.author):
        return False
    numbered = (series.version, _RFC in series.tags) != (other.version, _RFC in other.tags)
    if numbered and (_answers(series, other) or _answers(other, series)):
        return True
    if _titles(series).isdisjoint(_titles(other)):
        return False
    here, there = _sent(series), _sent(other)
    return numbered or here is None or there is None or abs(here - there) < _SAME_VERSION


def _answers(later: Series, earlier: Series) -> bool:
    """Was the later version sent In-Reply-To the earlier one's cover or patch?"""
    head = _members(later)[0]
    newer = later.version > earlier.version or (_RFC in earlier.tags and _RFC not in later.tags)
    return newer and bool(head.parents) and head.parents[0] in earlier.message_ids


def _closeness(series: Series, other: Series) -> tuple[bool, bool, int, str, str]:
    sent = _sent(other)
    same_change = bool(series.change_id) and series.change_id == other.change_id
    return same_change, other.version <= series.version, other.version, sent.isoformat() if sent else "", other.key


def _titles(series: Series) -> set[str]:
    """The titles that the work may be known by: the cover's and the first patch's."""
    titles = {plain(series.title)}
    if series.patches:
        titles.add(plain(series.patches[0].message.subject.title))
    return titles - {""}


def _members(series: Series) -> tuple[Message, ...]:
    cover = (series.cover,) if series.cover else ()
    return cover + tuple(patch.message for patch in series.patches)


def _all_ids(series: Series) -> set[str]:
    return {*series.message_ids, *(reply.id for reply in series.replies)}


def _sent(series: Series) -> datetime | None:
    return min((member.sent_at for member in _members(series) if member.sent_at), default=None)
