"""Series have settled: review each, join its findings with the earlier versions', and queue what is to be said."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.mail.series import settle
from bot.model import Alert, Review, Series, SeriesState, Unreadable
from bot.ports import Clock, Meter, ReviewError, Reviewing, Store, Transaction
from bot.report.alert import compose
from bot.report.bar import USUAL, Bar
from bot.report.deliveries import deliveries
from bot.report.lifecycle import history, join

_AT_ONCE = 20
SET_ASIDE = "review"  # what a series that could not be reviewed is counted under, beside the feeds


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a chat that is told, and what it wants to hear of."""

    chat: str
    channel: str
    bar: Bar = USUAL


async def series_settled(
    store: Store,
    clock: Clock,
    review: Reviewing,
    places: Sequence[Place],
    meter: Meter,
    going_on: Callable[[], bool] = lambda: True,
) -> tuple[Review, ...]:
    """Review every series that is due, the first to come first.  One that cannot be reviewed holds up no other."""
    done: list[Review] = []
    while going_on():
        async with store.transaction() as transaction:
            due = await transaction.due_series(clock.now(), _AT_ONCE)
        for series in due:
            if not going_on():
                break
            done.append(await _reviewed(settle(series, clock.now()), store, review, places, meter))
        if not due:
            break
    return tuple(done)


async def _reviewed(series: Series, store: Store, review: Reviewing, places: Sequence[Place], meter: Meter) -> Review:
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
        await _save(transaction, replace(now, state=SeriesState.REVIEWED), found, places)
    meter.observe("review_seconds", time.monotonic() - begun)
    meter.count("series_reviewed", context=found.context.value)
    for finding in found.findings:
        meter.count("findings", rule=finding.rule, level=finding.level.value)
    return found


async def _save(transaction: Transaction, series: Series, found: Review, places: Sequence[Place]) -> None:
    """The review, and the deliveries that follow from it: together or not at all."""
    versions = await transaction.versions(series.thread)
    told = await transaction.findings(series.thread)
    reviewed = [one.version for one in versions if one.state is SeriesState.REVIEWED]
    before = history(reviewed, told, series.version)
    await transaction.save_series(series)
    await transaction.add_review(found)
    versions = tuple(series if one.key == series.key else one for one in versions)
    for place in places:
        heard = {version: place.bar.over(findings) for version, findings in before.items()}
        life = join(heard, place.bar.over(found.findings))
        followed = await transaction.card(place.chat, place.channel, series.thread) is not None
        alert = compose(series, found, life, versions, place.bar, followed=followed)
        if isinstance(alert, Alert):
            for delivery in deliveries(alert, place.chat, place.channel):
                await transaction.queue(delivery)
