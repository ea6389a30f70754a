"""Series have settled: review each, and queue what channels are to see of it now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.mail.series import settle
from bot.model import Review, Series, SeriesState, Unreadable
from bot.ports import Clock, Meter, ReviewError, Reviewing, Store, StoreError
from bot.ports.replicas import REVIEW
from handlers.ahead import begun_ahead
from handlers.feed_read import parts_missing
from handlers.policy import Policy
from handlers.telling import tell

_AT_ONCE = 20
LOG = structlog.get_logger("review")
SET_ASIDE = "review"  # what a series that could not be reviewed is counted under, beside the feeds


async def series_settled(
    store: Store,
    clock: Clock,
    review: Reviewing,
    policy: Policy | None,
    meter: Meter,
    going_on: Callable[[], bool] = lambda: True,
    at_once: int = 1,
) -> tuple[Review, ...]:
    """Review every series that is due, the first to come first.  One that cannot be reviewed holds up no other.

    Without a policy nobody is told.  As many reviews as ``at_once`` are under way at a time, and so many are saved
    together, in the order of their series.
    """
    done: list[Review] = []
    while going_on():
        due = await _taken(store, clock.now(), at_once)
        async with begun_ahead(review, due, at_once) as next_one:
            for start in range(0, len(due), at_once):
                if not going_on():
                    break
                verdicts = [await _verdict(series, next_one) for series in due[start : start + at_once]]
                await _saved(verdicts, store, policy, clock, meter)
                done += [verdict.found for verdict in verdicts]
        if not due:
            break
    return tuple(done)


async def _taken(store: Store, now: datetime, at_once: int) -> tuple[Series, ...]:
    """What to review next: this replica's from now on, until it asks again.

    A replica takes no more than it reviews at a time, so that there is work for all.  It holds their threads, so that
    the versions of one are told in order.
    """
    limit = at_once if store.replica else _AT_ONCE
    async with store.transaction() as transaction:
        await transaction.let_go(REVIEW)
        due = await transaction.due_series(now, limit)
        await transaction.claim(REVIEW, [series.thread for series in due])
    return tuple(settle(series, now) for series in due)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What became of the review of a series; ``fault`` says why there is none."""

    series: Series
    found: Review
    seconds: float
    fault: str = ""


async def _verdict(series: Series, review: Reviewing) -> _Verdict:
    begun = time.monotonic()
    try:
        found = await review(series) if series.patches else Review(series.key)
    except ReviewError as fault:
        found = Review(series.key, notes=(f"not reviewed: {fault}",))
        return _Verdict(series, found, time.monotonic() - begun, str(fault))
    return _Verdict(series, found, time.monotonic() - begun)


async def _saved(verdicts: Sequence[_Verdict], store: Store, policy: Policy | None, clock: Clock, meter: Meter) -> None:
    """The reviews, and the deliveries that follow from them: together or not at all.

    What cannot be told, by a fault of ours, is stirred instead: there each thread fails alone.
    """
    try:
        counted = await _kept(verdicts, store, policy, clock, telling=True)
    except StoreError:
        raise
    except Exception:
        LOG.exception("reviews could not be told; they are saved, and told one by one")
        counted = await _kept(verdicts, store, policy, clock, telling=False)
    for verdict in counted:
        _count(verdict, meter)


async def _kept(
    verdicts: Sequence[_Verdict], store: Store, policy: Policy | None, clock: Clock, *, telling: bool
) -> list[_Verdict]:
    counted: list[_Verdict] = []
    async with store.transaction() as transaction:
        await transaction.series_of([name for verdict in verdicts for name in verdict.series.message_ids[:1]])
        for verdict in verdicts:
            now = await transaction.series(verdict.series.key)
            if now is None or now.patches != verdict.series.patches:
                continue  # a part came while it was reviewed: it is due again
            if verdict.fault:
                cure = "review it by hand; please report it as a bug"
                await transaction.add_unreadable(Unreadable(f"series {now.key}", verdict.fault, cure), SET_ASIDE)
            await transaction.save_series(replace(now, state=SeriesState.REVIEWED))
            await transaction.add_review(verdict.found)
            if policy is not None and not telling:
                await transaction.stir(now.thread, clock.now())
            elif policy is not None:
                await tell(transaction, now.thread, policy, clock.now())
                if now.missing:
                    await parts_missing(transaction, now, policy, clock.now())
            counted.append(verdict)
    return counted


def _count(verdict: _Verdict, meter: Meter) -> None:
    LOG.info(
        "series reviewed",
        series=verdict.series.key,
        version=verdict.series.version,
        findings=len(verdict.found.findings),
        context=verdict.found.context.value,
        seconds=round(verdict.seconds, 2),
    )
    if verdict.fault:
        meter.count("jobs_failed", job="review")
    meter.observe("review_seconds", verdict.seconds)
    meter.count("series_reviewed", context=verdict.found.context.value)
    for finding in verdict.found.findings:
        meter.count("findings", rule=finding.rule, level=finding.level.value)
