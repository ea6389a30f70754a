"""From the story of a series to what a channel sees of it: a card with replies below it, or nothing and the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.model import Alert, Finding, Life, Message, Mute, Page, Quiet, Review, Series, Text, Told
from bot.report import fault, merge, raised, warning
from bot.report.bar import USUAL, Bar
from bot.report.card import card
from bot.report.lifecycle import join
from bot.report.mutes import muted
from bot.report.story import Standing, Story, standings

_MOST_REPLIES = 10
REPLY = "reply/"


@dataclass(frozen=True, slots=True)
class View:
    """What one channel wants to hear of, and what it sees of this thread already.

    ``wanted``: a subscription admits the series.  ``demoted`` rules are told in the digest alone.  ``told`` are the
    replies that stand: slot to fingerprints.  ``followed``: the channel has a card, which is then edited even when
    there is nothing left to warn of.  Without one, a series in which nothing passes the bar is quiet.
    """

    chat: str = ""
    bar: Bar = USUAL
    wanted: bool = True
    mutes: tuple[Mute, ...] = ()
    demoted: frozenset[str] = frozenset()
    told: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    followed: bool = False
    every_series: bool = False

    @property
    def slots(self) -> dict[str, str]:
        """Where each finding was told last."""
        return {name: slot for slot, names in self.told.items() for name in names}


def compose(story: Story, view: View) -> Alert | Quiet:
    """Say what a channel is to see of a series, as of its newest reviewed version."""
    series = story.now
    if series is None:
        return Quiet("", "not reviewed")
    review = story.reviews[series.key]
    life = heard(story, view)
    said = reviewers(story, life.open)
    known = standings(story)
    fresh = _fresh(life, known, view, said) if view.wanted or view.followed else ()
    if not view.followed and not (view.wanted and (view.every_series or fresh or said or life.still_open)):
        return Quiet("", _why_quiet(review, life) if view.wanted else "no subscription admits it")
    taken = merge.of(story.versions)
    replies = (*_standing(story, view, known, said, taken), *_new(story, view, fresh, known))
    return Alert(series.thread, card(series, review, life, story.versions, merge=taken, raised=said), replies)


def heard(story: Story, view: View) -> Life:
    """What became of the findings that this channel hears of; those that it was told once it goes on hearing of."""
    found, versions, slots = story.findings(), story.reviewed, view.slots
    if not found:
        return Life()
    admitted = {
        version: tuple(
            one for one in view.bar.over(findings) if one.fingerprint in slots or _passes(one, versions[version], view)
        )
        for version, findings in found.items()
    }
    current = admitted.pop(max(admitted))
    life = join(admitted, current)
    gone = {one.fingerprint for one in current if _dismissed(story, one)}

    def kept(findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(one for one in findings if one.fingerprint not in gone)

    dismissed = tuple(one for one in current if one.fingerprint in gone)
    return Life(kept(life.new), kept(life.still_open), life.fixed, kept(life.again), dismissed)


def _passes(finding: Finding, series: Series, view: View) -> bool:
    return finding.rule not in view.demoted and not muted(view.mutes, finding, series)


def _dismissed(story: Story, finding: Finding) -> bool:
    verdict = story.verdicts.get(finding.fingerprint)
    return verdict is not None and verdict.verdict.dismisses


def reviewers(story: Story, findings: Iterable[Finding]) -> dict[str, Message]:
    """The replies on the list that said the same as one of these findings, by fingerprint.

    Of a finding that was gone and is back, what was said before it went does not count.
    """
    known = standings(story)
    result: dict[str, Message] = {}
    for finding in findings:
        since = known[finding.fingerprint].since
        if message := raised.by((one for one in story.versions if one.version >= since), finding):
            result[finding.fingerprint] = message
    return result


def as_told(story: Story) -> dict[str, tuple[str, ...]]:
    """All findings that any version had, as if each object had a message: for those who ask, and follow no channel."""
    groups = warning.by_object(one.finding for one in standings(story).values())
    return {f"{REPLY}{group[0].fingerprint}": tuple(one.fingerprint for one in group) for group in groups}


def _why_quiet(review: Review, life: Life) -> str:
    if not review.findings:
        return "nothing found"
    if life.dismissed:
        return f"{len(life.dismissed)} found, all dismissed before"
    return f"{len(review.findings)} found, none above the bar of the channel"


def _fresh(
    life: Life, known: Mapping[str, Standing], view: View, said: Mapping[str, Message]
) -> tuple[tuple[Finding, ...], ...]:
    """The findings that this channel is yet to be told, grouped by object; what a reviewer said is not repeated."""
    slots = view.slots
    untold = [
        one
        for one in life.open
        if one.fingerprint not in said and not _told(known[one.fingerprint], slots.get(one.fingerprint))
    ]
    return warning.by_object(untold)


def _told(standing: Standing, slot: str | None) -> bool:
    """Was this run of the finding told?  One that was gone and is back is told again, in a message of its own."""
    return slot is not None and _again(standing) in slot


def _again(standing: Standing) -> str:
    return f"@v{standing.since}" if standing.since > standing.first else ""


def _standing(
    story: Story, view: View, known: Mapping[str, Standing], said: Mapping[str, Message], taken: merge.Merge | None
) -> Iterator[Told]:
    """The replies that were posted before, as they are to look now."""
    for slot, names in view.told.items():
        group = [known[name] for name in names if name in known]
        if not group or slot.endswith("+"):
            continue
        if all(_again(one) not in slot for one in group):
            yield Told(slot, names, fault.past(group))
        else:
            yield Told(slot, names, fault.page(story, group, view.chat, raised=said, merge=taken))


def _new(
    story: Story, view: View, groups: Sequence[Sequence[Finding]], known: Mapping[str, Standing]
) -> Iterator[Told]:
    """One reply for each object, and one line for those beyond ten."""
    for group in groups[:_MOST_REPLIES]:
        names = tuple(one.fingerprint for one in group)
        members = [known[name] for name in names]
        yield Told(_slot(members), names, fault.page(story, members, view.chat))
    if rest := groups[_MOST_REPLIES:]:
        members = [known[one.fingerprint] for group in rest for one in group]
        objects = ", ".join(group[0].subject for group in rest)
        page = Page(f"… and {len(rest)} more objects", parts=(Text(objects[:1000]),))
        yield Told(f"{_slot(members)}+", tuple(one.finding.fingerprint for one in members), page)


def _slot(members: Sequence[Standing]) -> str:
    """Named after a finding; a version is added when the finding is back again."""
    first = min(members, key=lambda one: one.finding.fingerprint)
    return f"{REPLY}{first.finding.fingerprint}{_again(first)}"


def without_replies(alert: Alert, kept: Iterable[str]) -> Alert:
    """The alert with those replies only whose slots are kept."""
    slots = frozenset(kept)
    return replace(alert, replies=tuple(reply for reply in alert.replies if reply.slot in slots))
