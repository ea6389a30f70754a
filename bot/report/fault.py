"""The message about one fault as it stands now: the warning, what became of it, who said what, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bot.model import MAIL, Action, Message, Page, Series, Text, Triage, Verdict
from bot.report import links, warning
from bot.report.merge import Merge
from bot.report.story import Phase, Standing, Story
from bot.report.text import one_line

_ID = 8  # letters of a fingerprint that people see; 32 bits are enough among the findings of some years
_REASON = 300
_SAID = {
    Verdict.ACK: "Acknowledged by {}",
    Verdict.FALSE_POSITIVE: "False positive, says {}",
    Verdict.WONT_FIX: "Will stay as it is, says {}",
}


def short(fingerprint: str) -> str:
    """What a finding is called in chat."""
    return fingerprint[:_ID]


def page(
    story: Story,
    group: Sequence[Standing],
    chat: str = "",
    *,
    raised: Mapping[str, Message] | None = None,
    merge: Merge | None = None,
) -> Page:
    """One page about one object: the places where it is wrong now, or was when it was last seen."""
    there = [one for one in group if one.is_open]
    shown = there or list(group)
    series = max((one.seen_in for one in shown), key=lambda one: one.version)
    (findings, *_) = warning.by_object([one.finding for one in shown])
    review = story.reviews.get(series.key)
    told = warning.page(series, findings, review.base if review else "")
    verdict = _verdict(story, group)
    dismissed = verdict is not None and verdict.verdict.dismisses
    taken = merge is not None and bool(there) and story.now is not None and merge.version == story.now.version
    lines = (
        *_life(story, group, there, "Still there" if dismissed else "Still open"),
        *_raised(group, raised or {}),
        *([Text(f'Merged with this open: {merge.who}, "{merge.words}"')] if merge and taken else []),
        *([said(verdict, chat)] if verdict else []),
    )
    name = short(min(one.finding.fingerprint for one in group))
    actions = _actions(name, shown[0], series, verdict if there else None)
    # What is gone needs no proof any more: its place is enough.
    parts = told.parts if there else (told.parts[0], told.parts[-1])
    return replace(told, level=told.level if there and not dismissed else None, parts=(*lines, *parts), actions=actions)


def past(group: Sequence[Standing]) -> Page:
    """The message about a fault that went away and is back again: a newer message has it."""
    first = group[0]
    words = f"It was gone, and is back again in v{first.since}: a newer message has it."
    return Page(one_line(first.finding.text, 120), parts=(Text(words),))


def said(verdict: Triage, chat: str) -> Text:
    """Who judged a finding and when; a person of this chat is shown by name."""
    here = verdict.who.chat == chat
    who = f"@{verdict.who.id}" if here else f"{one_line(verdict.who.id, 60)} in {verdict.who.chat}"
    reason = f": {one_line(verdict.reason, _REASON)}" if verdict.reason else ""
    words = _SAID[verdict.verdict].format(who)
    return Text(f"{words}, {verdict.at:%Y-%m-%d %H:%M} UTC{reason}", people=(verdict.who.id,) if here else ())


def _verdict(story: Story, group: Sequence[Standing]) -> Triage | None:
    """The newest one that a person of a chat gave."""
    given = [story.verdicts[name] for one in group if (name := one.finding.fingerprint) in story.verdicts]
    return max((one for one in given if one.who.chat != MAIL), key=lambda one: one.at, default=None)


def _life(story: Story, group: Sequence[Standing], there: Sequence[Standing], words: str) -> Iterator[Text]:
    now = story.now
    if now is None:
        return
    if not there:
        gone = max(group, key=lambda one: one.gone_in)
        if all(one.phase is Phase.FIXED for one in group):
            yield Text(f"Fixed in v{gone.gone_in}")
        else:
            yield Text(f"Not seen again in v{gone.gone_in}, in which less of the code could be looked at")
        return
    first = there[0]
    if first.since > first.first:
        yield Text(f"Back again in v{first.since}: it was in v{first.first}, and then gone")
    if first.since < now.version:
        still = f"{words} in v{now.version}"
        yield Text(still if len(there) == len(group) else f"{still} in {len(there)} of {len(group)} places")


def _raised(group: Sequence[Standing], raised: Mapping[str, Message]) -> Iterator[Text]:
    found = {raised[one.finding.fingerprint] for one in group if one.finding.fingerprint in raised}
    for message in sorted(found, key=lambda one: one.id)[:3]:
        who = one_line(message.sender.name or message.sender.email, 60)
        yield Text(f"Raised on the list by {who}, {links.of_message(message.id)}")


def _actions(name: str, standing: Standing, series: Series, verdict: Triage | None) -> tuple[Action, ...]:
    """What a person may do.  A verdict is undone by ``reopen``; what is gone needs none."""
    finding = standing.finding
    judge: tuple[Action, ...] = ()
    if verdict:
        judge = (Action("Reopen", f"reopen {name}"),)
    elif standing.is_open:
        judge = (
            Action("Ack", f"ack {name}"),
            Action("False positive", f"fp {name}", asks="Why is it a false positive?"),
            Action("Won't fix", f"wontfix {name}"),
            Action(
                "Mute…", f"mute {name}", asks="rule, path, author or series? Add for how long, such as: rule for 7d"
            ),
        )
    about = (
        Action("Explain", f"explain {finding.rule}"),
        Action("Evidence", link=links.of_message(finding.introduced_by)) if finding.introduced_by else None,
        Action("Source", link=source) if (source := links.of_source(series, finding)) else None,
        Action("Copy as quoted reply", f"quote {name}"),
    )
    return (*judge, *(action for action in about if action))
