"""A channel's digest is due at its own time: make it of the store, and put it into the outbox, once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from bot.model import Delivery, Finding, Habits, Page, Review, Series
from bot.ports import Clock, Store, Transaction
from bot.report import digest, precision
from bot.report.alert import View, heard
from bot.report.deliveries import CARD
from bot.report.hours import digest_day, digest_span
from handlers.policy import Policy
from handlers.stories import stories_since
from handlers.telling import listeners

_OPEN_SINCE = timedelta(days=120)
_MOST_SERIES = 2000


async def digest_due(store: Store, clock: Clock, policy: Policy) -> int:
    """Queue the digest of every channel whose time has come, and return how many there were."""
    queued = 0
    async with store.transaction() as transaction:
        places = await transaction.all_habits()
    for chat, channel, before in places:
        if digest_day(before, clock.now()) is None:
            continue
        async with store.transaction() as transaction:
            # Asked again: another replica may have told it meanwhile, or somebody may have said when to.
            habits = await transaction.habits(chat, channel) or Habits()
            day = digest_day(habits, clock.now())
            if day is None:
                continue
            page = await digest_of(transaction, policy, chat, channel, habits, day)
            thread = f"digest/{day.isoformat()}"
            key = f"{chat}/{channel}/{thread}/{CARD}"
            queued += await transaction.queue(Delivery(key, chat, channel, thread, page, card=True, slot=CARD))
            await transaction.set_habits(chat, channel, replace(habits, told_on=day))
    return queued


async def digest_of(
    transaction: Transaction, policy: Policy, chat: str, channel: str, habits: Habits, day: date
) -> Page:
    """The digest of a day, or of the week that ends with it, as this channel hears of series."""
    start, end = digest_span(habits, day)
    return await digest_between(transaction, policy, chat, channel, start, end)


async def digest_between(
    transaction: Transaction, policy: Policy, chat: str, channel: str, start: datetime, end: datetime
) -> Page:
    """The same for any span of time."""
    reviewed = []
    for series, review in await transaction.reviewed_between(start, end, _MOST_SERIES):
        if await _wanted(transaction, policy, chat, channel, series):
            reviewed.append((series.settles_at, series, await _not_dismissed(transaction, review)))
    stories = await stories_since(transaction, end - _OPEN_SINCE)
    left = [finding for story in stories for finding in heard(story, View(bar=policy.bar)).open]
    tallies = await transaction.tallies()
    figures = precision.by_rule(tallies)
    silent = {rule: figures[rule] for rule in precision.demoted(tallies, policy.pinned)}
    days = digest.Days(start, end, reviewed, left, silent)
    return digest.page(days, policy.bar, f"{end:%Y-%m-%d}")


async def _wanted(transaction: Transaction, policy: Policy, chat: str, channel: str, series: Series) -> bool:
    hearing = await listeners(transaction, policy, series)
    return any(one.wanted for one in hearing if (one.chat, one.channel) == (chat, channel))


async def _not_dismissed(transaction: Transaction, review: Review) -> tuple[Finding, ...]:
    verdicts = await transaction.verdicts([one.fingerprint for one in review.findings])
    gone = {name for name, one in verdicts.items() if one.verdict.dismisses}
    return tuple(one for one in review.findings if one.fingerprint not in gone)
