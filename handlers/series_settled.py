"""Series have settled: review each, and queue what channels are to see of it now."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bot.mail.series import settle
from bot.model import Review, Series, SeriesState, Unreadable
from bot.ports import Clock, Meter, ReviewError, Reviewing, Store
from handlers.ahead import begun_ahead
from handlers.feed_read import parts_missing
from handlers.policy import Policy
from handlers.telling import tell

_AT_ONCE = 20
SET_ASIDE = "review"  # what a series that could not be reviewed is counted under, beside the feeds


async def series_settled(
    store: Store,
    clock: Clock,
    review: Reviewing,
    policy: Policy,
    meter: Meter,
    going_on: Callable[[], bool] = lambda: True,
    at_once: int = 1,
) -> tuple[Review, ...]:
    """Review every series that is due, the first to come first.  One that cannot be reviewed holds up no other.

    As many reviews as ``at_once`` are under way at a time; they are saved in the order of their series.
    """
    done: list[Review] = []
    while going_on():
        async with store.transaction() as transaction:
            due = [settle(series, clock.now()) for series in await transaction.due_series(clock.now(), _AT_ONCE)]
        async with begun_ahead(review, due, at_once) as next_one:
            for series in due:
                if not going_on():
                    break
                done.append(await _reviewed(series, store, next_one, policy, clock, meter))
        if not due:
            break
    return tuple(done)


async def _reviewed(
    series: Series, store: Store, review: Reviewing, policy: Policy, clock: Clock, meter: Meter
) -> Review:
    begun = time.monotonic()
    aside: Unreadable | None = None
    try:
        found = await review(series) if series.patches else Review(series.key)
    except ReviewError as fault:
        found = Review(series.key, notes=(f"not reviewed: {fault}",))
        aside = Unreadable(f"series {series.key}", str(fault), "review it by hand; please report it as a bug")
        meter.count("jobs_failed", job="review")
    async with store.transaction() as transaction:
        now = await transaction.series(series.key)
        if now is None or now.patches != series.patches:
            return found  # a part came while it was reviewed: it is due again
        if aside:
            await transaction.add_unreadable(aside, SET_ASIDE)
        # The review, and the deliveries that follow from it: together or not at all.
        await transaction.save_series(replace(now, state=SeriesState.REVIEWED))
        await transaction.add_review(found)
        await tell(transaction, now.thread, policy, clock.now())
        if now.missing:
            await parts_missing(transaction, now, policy, clock.now())
    meter.observe("review_seconds", time.monotonic() - begun)
    meter.count("series_reviewed", context=found.context.value)
    for finding in found.findings:
        meter.count("findings", rule=finding.rule, level=finding.level.value)
    return found
