"""How a feed does: what a reading changes in that, what is wrong with it, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.model import Brought, FeedState, Page, Text, Trouble
from bot.report.text import one_line

_WEEK = timedelta(days=7)
_WEEKS = 5  # that a list's habit is drawn from: enough for a weekend, too few to remember last Christmas
_LONGER = 1.5  # times the longest silence is unusual
_SHORTEST = timedelta(hours=1)
_CLOCKS_DIFFER = timedelta(minutes=10)
_MANY = 3  # mails or series in a day are no accident
_DAY = timedelta(days=1)
_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def after_reading(state: FeedState, brought: Brought, failure: str, now: datetime) -> FeedState:
    """The state after a reading that brought this, and that ended with a failure unless that is ""."""
    state = replace(state, failure=failure, failing_since=(state.failing_since or now) if failure else None)
    if not brought.mails and not brought.unreadable:
        return state
    # Whoever dates mails in the future must not make the list look alive, nor its past silent.
    dates = sorted(date for date in brought.dates if date <= now + _CLOCKS_DIFFER)
    newest = dates[-1] if dates else state.newest
    return replace(
        _with_dates(state, dates),
        heard_at=now,
        lag=max((now - newest).total_seconds(), 0.0) if dates and newest else state.lag,
        mails=state.mails + brought.mails,
        known=state.known + brought.known,
        unreadable=state.unreadable + brought.unreadable,
        unreadable_at=(*state.unreadable_at, *(now,) * min(brought.unreadable, _MANY))[-_MANY:],
    )


def _with_dates(state: FeedState, dates: Iterable[datetime]) -> FeedState:
    oldest, newest, gaps = state.oldest, state.newest, dict(state.gaps)
    for date in dates:
        if newest is not None and date > newest:
            week = (date - _ZERO) // _WEEK
            gaps[week] = max(gaps.get(week, 0), int((date - newest).total_seconds()))
        oldest = date if oldest is None else min(oldest, date)
        newest = date if newest is None else max(newest, date)
    kept = sorted(gaps.items())[-_WEEKS:]
    return replace(state, oldest=oldest, newest=newest, gaps=tuple(kept))


def after_gap(state: FeedState, now: datetime) -> FeedState:
    """The state when patience with a series of this feed ended and parts of it had not come."""
    return replace(state, incomplete=state.incomplete + 1, incomplete_at=(*state.incomplete_at, now)[-_MANY:])


def usual_silence(state: FeedState) -> timedelta | None:
    """The silence that is not unusual for the list; None while too little is known of it."""
    if state.oldest is None or state.newest is None or state.newest - state.oldest < _WEEK or not state.gaps:
        return None
    return max(timedelta(seconds=_LONGER * max(seconds for _, seconds in state.gaps)), _SHORTEST)


def troubles(state: FeedState, now: datetime, after: timedelta) -> Mapping[Trouble, str]:
    """What is wrong, and why: a failure only when it lasts for longer than ``after``."""
    found: dict[Trouble, str] = {}
    told = {note.trouble for note in state.notes}
    if state.failing_since and (Trouble.FAILING in told or now - state.failing_since >= after):
        found[Trouble.FAILING] = f"It cannot be read since {_moment(state.failing_since)}: {state.failure}"
    usual = usual_silence(state)
    if usual and state.heard_at and not state.failing_since and now - state.heard_at > usual:
        silence = f"Nothing has come for {spelled(now - state.heard_at)}; {spelled(usual)} would be usual."
        found[Trouble.SILENT] = f"{silence} The list may have moved, or its mirror may not be fetched any more."
    if _lasts(state.unreadable_at, Trouble.UNREADABLE in told, now):
        words = "mails could not be used, of which the last came"
        found[Trouble.UNREADABLE] = (
            f"{state.unreadable:,} {words} {_moment(state.unreadable_at[-1])}; `status` has more."
        )
    if _lasts(state.incomplete_at, Trouble.INCOMPLETE in told, now):
        words = "series were reviewed without all their parts, the last"
        cure = "A list that gets only some parts of many series does that, and so does a feed that loses mail."
        found[Trouble.INCOMPLETE] = f"{state.incomplete:,} {words} {_moment(state.incomplete_at[-1])}. {cure}"
    return found


def _lasts(times: tuple[datetime, ...], told: bool, now: datetime) -> bool:
    """Whether it happened often in a day, or, once that was told, whether it happened in the last day at all."""
    recent = [time for time in times if now - time < _DAY]
    return len(recent) >= (1 if told else _MANY)


_HEADLINES = {
    Trouble.FAILING: "cannot be read",
    Trouble.SILENT: "is unusually silent",
    Trouble.UNREADABLE: "brings mail that cannot be used",
    Trouble.INCOMPLETE: "brings series with parts missing",
}
_ENDS = {
    Trouble.FAILING: "is read again",
    Trouble.SILENT: "brings mail again",
    Trouble.UNREADABLE: "brought nothing but good mail for a day",
    Trouble.INCOMPLETE: "had no part missing for a day",
}


def begun(feed: str, trouble: Trouble, why: str) -> Page:
    """What operators are told when a trouble begins."""
    return Page(f"Feed {feed} {_HEADLINES[trouble]}", parts=(Text(one_line(why, 600)),))


def ended(feed: str, trouble: Trouble, since: datetime, now: datetime) -> Page:
    """What operators are told when it is over."""
    return Page(f"Feed {feed} {_ENDS[trouble]}", parts=(Text(f"That took {spelled(now - since)}."),))


def line(state: FeedState, now: datetime) -> str:
    """One line for ``status``: when it last brought mail, how late that was, and what is wrong."""
    words = [f"last mail {spelled(now - state.heard_at)} ago" if state.heard_at else "no mail yet"]
    if state.heard_at and state.lag >= 1:
        words.append(f"{spelled(timedelta(seconds=state.lag))} after it was sent")
    if usual := usual_silence(state):
        words.append(f"silent for at most {spelled(usual)} as a rule")
    counts = ((state.known, "known before"), (state.unreadable, "unreadable"), (state.incomplete, "series with gaps"))
    words += [f"{state.mails:,} mails"] + [f"{number:,} {what}" for number, what in counts if number]
    words += [_HEADLINES[note.trouble] for note in state.notes]
    if state.failure and not any(note.trouble is Trouble.FAILING for note in state.notes):
        words.append(f"failed just now: {one_line(state.failure, 200)}")
    return ", ".join(words)


def spelled(span: timedelta) -> str:
    """``45s``, ``12m``, ``3h``, ``2d 4h``: as exact as a person wants it."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 2 * 3600:
        return f"{seconds // 60}m"
    if seconds < 48 * 3600:
        return f"{seconds // 3600}h"
    days, rest = divmod(seconds // 3600, 24)
    return f"{days}d {rest}h" if rest else f"{days}d"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
