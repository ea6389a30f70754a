"""Series assembly as a state machine: each mail that comes makes one series grow."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.mail import kinship, runs, trailers
from bot.model import Message, Patch, Series, SeriesState, SubjectKind

MOST_PARTS = 1000
MOST_REPLIES = 1000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def add(
    known: Sequence[Series], message: Message, patch: Patch | None, now: datetime, patience: timedelta
) -> Series | None:
    """The series that ``message`` begins or belongs to, with the message in it; None when it is in no series.

    ``known`` are the series that may be meant: those with the message or its parents in them, the one whose key the
    result had when it was asked before, and versions of the same work.

    States: a series is OPEN until all its parts are there (SETTLED at once) or ``patience`` is over since the last part
    came (``settle``).  A part that changes a SETTLED or REVIEWED series leaves it SETTLED, to be reviewed again;
    a reply, or a cover that adds no base, leaves the state as it is.  A mail that is in the series already changes
    nothing.

    RESEND, a part of v5.1, and a part of v6 that was sent alone in answer to its forerunner in v5, join the version
    that they repeat: a part with another diff takes the place of the earlier one, a part with the same diff changes
    nothing.  Pull requests are in no series.
    """
    kind = message.subject.kind
    if patch is None and kind is not SubjectKind.COVER:
        return None if kind is SubjectKind.PULL else _with_reply(known, message)
    series = kinship.home(known, message)
    if series is not None and message.id in series.message_ids:
        return series
    grown = _with_part(series or _begun(message, now, patience), message, patch)
    if series is None or grown != series:
        grown = _moved(series, grown, now, patience)
        if grown.thread == grown.key and (series is None or series.state is not SeriesState.REVIEWED):
            grown = replace(grown, thread=kinship.thread(grown, known))
    return grown


def settle(series: Series, now: datetime) -> Series:
    """SETTLED when it is complete or patience is over; otherwise as it was."""
    if series.state is SeriesState.OPEN and (is_complete(series) or now >= series.settles_at):
        return replace(series, state=SeriesState.SETTLED)
    return series


def is_complete(series: Series) -> bool:
    """Is every part there, and the cover too where a part says that one was sent?"""
    if series.missing or not series.patches:
        return False
    first = series.patches[0].message
    if series.cover is not None or not first.parents or first.parents[0] in series.message_ids:
        return True
    return not runs.of_one_run(first.id, first.parents[0])


def _begun(message: Message, now: datetime, patience: timedelta) -> Series:
    key = runs.key(message)
    subject = message.subject
    return Series(key, key, subject.version, subject.title, message.sender, 1, SeriesState.OPEN, now + patience)


def _with_part(series: Series, message: Message, patch: Patch | None) -> Series:
    problems = list(series.problems)
    cover, patches = series.cover, series.patches
    if patch is None:
        cover = message if cover is None else max(cover, message, key=_rank)
    elif patch.index < 1 or (len(patches) >= MOST_PARTS and all(old.index != patch.index for old in patches)):
        problems.append(f"more than {MOST_PARTS} patches: the others are left out")
    else:
        patches = _with_patch(patches, patch, problems)
    return _derived(replace(series, cover=cover, patches=patches, problems=tuple(dict.fromkeys(problems))))


def _with_patch(patches: tuple[Patch, ...], patch: Patch, problems: list[str]) -> tuple[Patch, ...]:
    """In its place by index.  Of two with one index and other diffs the later counts, whichever came first."""
    there = next((old for old in patches if old.index == patch.index), None)
    if there is None:
        grown = list(patches)
        insort(grown, patch, key=lambda one: one.index)
        return tuple(grown)
    if there.files == patch.files:
        chosen = min(there, patch, key=lambda one: _rank(one.message))
    else:
        chosen = max(there, patch, key=lambda one: _rank(one.message))
        if _edition(there.message) == _edition(patch.message):
            problems.append(f"patch {patch.index} came twice with other content: the later one counts")
    return tuple(chosen if old is there else old for old in patches)


def _edition(message: Message) -> tuple[int, int]:
    return message.subject.version, message.subject.amendment


def _rank(message: Message) -> tuple[tuple[int, int], datetime, str]:
    return _edition(message), message.sent_at or _LONG_AGO, message.id


def _derived(series: Series) -> Series:
    """What follows from the parts, so that it is the same in whatever order they came."""
    first = series.patches[0] if series.patches else None
    head = series.cover or (first.message if first else None)
    if head is None:
        return series
    counted = first.message.subject.total if first else None
    told = counted or head.subject.total or 1
    problems = [problem for problem in series.problems if not problem.startswith("the subjects ")]
    if told > MOST_PARTS:
        problems.append(f"the subjects announce {told} parts; {MOST_PARTS} are waited for")
    last = series.patches[-1].index if series.patches else 0
    if last > told:
        problems.append(f"the subjects number a patch {last} of {told}")
    version = min((patch.message.subject.version for patch in series.patches), default=head.subject.version)
    if series.cover and series.cover.subject.version != version:
        problems.append(f"the subjects disagree: the cover says v{series.cover.subject.version}, patches v{version}")
        version = max(version, series.cover.subject.version)
    if counted and head.subject.total != counted:
        problems.append(f"the subjects disagree: the cover says {head.subject.total} parts, patches {counted}")
    members = [message for message in (series.cover, *(patch.message for patch in series.patches)) if message]
    bases = [patch.base_commit for patch in series.patches if patch.base_commit]
    return replace(
        series,
        version=version,
        title=head.subject.title,
        author=head.sender,
        expected=min(told, MOST_PARTS),
        tags=head.subject.tags,
        change_id=next((member.change_id for member in members if member.change_id), ""),
        base_commit=_cover_base(series.cover) or (bases[0] if bases else ""),
        problems=tuple(dict.fromkeys(problems)),
    )


def _cover_base(cover: Message | None) -> str:
    if cover is None or "base-commit" not in cover.body:
        return ""
    return next((one.value for one in trailers.read(cover.body) if one.name.lower() == "base-commit"), "")


def _moved(before: Series | None, grown: Series, now: datetime, patience: timedelta) -> Series:
    """The grown series in its next state."""
    if grown.state is SeriesState.OPEN:
        grown = replace(grown, settles_at=max(grown.settles_at, now + patience))
        return replace(grown, state=SeriesState.SETTLED) if is_complete(grown) else grown
    changed = before is None or (before.patches, before.base_commit) != (grown.patches, grown.base_commit)
    return replace(grown, state=SeriesState.SETTLED) if changed else grown


def _with_reply(known: Sequence[Series], message: Message) -> Series | None:
    series = kinship.answered(known, message)
    if series is None or message.id in series.message_ids or len(series.replies) >= MOST_REPLIES:
        return series
    if any(reply.id == message.id for reply in series.replies):
        return series
    replies = list(series.replies)
    insort(replies, message, key=lambda one: (one.sent_at or _LONG_AGO, one.id))
    return replace(series, replies=tuple(replies))
