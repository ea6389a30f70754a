"""What each channel is to see of a thread is made anew from its story, and what changed goes into the outbox."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.model import MAIL, Alert, Habits, Person, Quiet, Series, Subscription, Triage, Verdict
from bot.ports import Transaction
from bot.report import links
from bot.report.alert import View, compose, heard, reviewers, without_replies
from bot.report.bar import Bar
from bot.report.deliveries import deliveries
from bot.report.filters import FilterError, lowest, parse
from bot.report.hours import quiet_until
from bot.report.precision import demoted
from bot.report.story import Story
from handlers.policy import Place, Policy


@dataclass(frozen=True, slots=True)
class Listener:
    """A channel, its bar for one series, and whether it wants to hear of it."""

    chat: str
    channel: str
    bar: Bar
    wanted: bool


async def tell(transaction: Transaction, thread: str, policy: Policy, now: datetime) -> None:
    """Queue what has changed for every channel, in the caller's transaction.

    In a channel's quiet hours only messages that stand are edited; what is new waits for their end.
    """
    story = await story_of(transaction, thread)
    series = story.now
    hearing = await listeners(transaction, policy, series) if series else ()
    if not hearing:
        return
    await _note_reviewers(transaction, story, now)
    silenced = demoted(await transaction.tallies(), policy.pinned)
    for listener in hearing:
        view, habits = await _view(transaction, listener, thread, silenced, now)
        alert = compose(story, view)
        if isinstance(alert, Quiet):
            continue
        end = quiet_until(habits, now)
        if end and (not view.followed or any(reply.slot not in view.told for reply in alert.replies)):
            await transaction.stir(thread, end)
        await _show(transaction, alert, view, listener, waiting=end is not None, broadcast=not habits.thread_only)


async def _show(
    transaction: Transaction, alert: Alert, view: View, listener: Listener, *, waiting: bool, broadcast: bool
) -> None:
    if waiting and not view.followed:
        return
    shown = without_replies(alert, view.told) if waiting else alert
    for delivery in deliveries(shown, listener.chat, listener.channel, broadcast=broadcast):
        await transaction.show(delivery)


async def story_of(transaction: Transaction, thread: str) -> Story:
    """Versions, reviews and verdicts of a thread."""
    versions = await transaction.versions(thread)
    found = [(one.key, await transaction.review(one.key)) for one in versions]
    # A version that changed after its review is reviewed again; until then the old review is the best there is.
    reviews = {key: review for key, review in found if review is not None}
    names = [finding.fingerprint for review in reviews.values() for finding in review.findings]
    return Story(versions, reviews, await transaction.verdicts(names))


async def _view(
    transaction: Transaction, listener: Listener, thread: str, silenced: frozenset[str], now: datetime
) -> tuple[View, Habits]:
    place = (listener.chat, listener.channel)
    habits = await transaction.habits(*place) or Habits()
    return View(
        chat=listener.chat,
        bar=listener.bar,
        wanted=listener.wanted,
        mutes=await transaction.mutes(now, *place),
        demoted=silenced,
        told=await transaction.told(*place, thread),
        followed=place in await transaction.followers(thread),
        every_series=habits.every_series,
    ), habits


async def listeners(transaction: Transaction, policy: Policy, series: Series) -> tuple[Listener, ...]:
    """Every channel that may be told of a series: those of the settings, of subscriptions, and those with its card.

    A channel of the settings hears of everything until it subscribes to something.
    """
    wishes = await transaction.subscriptions()
    places = {(place.chat, place.channel): place for place in policy.places}
    for wish in wishes:
        places.setdefault((wish.chat, wish.channel), Place(wish.chat, wish.channel, policy.bar))
    for chat, channel in await transaction.followers(series.thread):
        places.setdefault((chat, channel), Place(chat, channel, policy.bar))
    named = {(place.chat, place.channel) for place in policy.places}
    return tuple(_listener(place, wishes, series, everything=key in named) for key, place in places.items())


def _listener(place: Place, wishes: Sequence[Subscription], series: Series, *, everything: bool) -> Listener:
    own = [wish for wish in wishes if (wish.chat, wish.channel) == (place.chat, place.channel)]
    if not own:
        return Listener(place.chat, place.channel, place.bar, wanted=everything)
    bar = lowest(_bars(own, place.bar, series))
    return Listener(place.chat, place.channel, bar or place.bar, wanted=bar is not None)


def _bars(wishes: Sequence[Subscription], usual: Bar, series: Series) -> Iterator[Bar]:
    for wish in wishes:
        try:
            filter_ = parse(wish.words)
        except FilterError:  # it was typed for another version of gracewatch
            continue
        if filter_.admits(series):
            yield filter_.bar(usual)


async def _note_reviewers(transaction: Transaction, story: Story, now: datetime) -> None:
    """Agreement on the list is a verdict, too, where nobody gave one in chat."""
    life = heard(story, View(bar=Bar(confidence=0)))
    for finding in life.open:
        if finding.fingerprint in story.verdicts:
            continue
        for message in reviewers(story, (finding,)).values():
            who = Person(MAIL, message.sender.name or message.sender.email)
            link = links.of_message(message.id)
            await transaction.set_verdict(Triage(finding.fingerprint, finding.rule, Verdict.RAISED, who, now, link))
