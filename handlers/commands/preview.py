"""preview: what a channel with this filter would have been told lately."""

from __future__ import annotations

from datetime import timedelta

from bot.model import Alert, Ask, Page, Reply, Text
from bot.report.alert import View, compose
from bot.report.card import count
from bot.report.filters import Filter, FilterError, parse
from bot.report.precision import demoted
from bot.report.spans import parted, span
from bot.report.story import Story
from bot.report.text import one_line
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.permits import channel_of
from handlers.stories import stories_since

_USUAL = timedelta(days=7)
_LONGEST = timedelta(days=120)
_SHOWN = 20


async def answer(ask: Ask, doors: Doors) -> Reply:
    words, length = _parted(ask.words)
    try:
        filter_ = parse(words)
    except FilterError as fault:
        raise UnclearError(f"{fault} `{COMMAND.usage}`") from fault
    async with doors.store.transaction() as transaction:
        stories = await stories_since(transaction, doors.now() - length)
        mutes = await transaction.mutes(doors.now(), ask.chat, channel_of(ask))
        silent = demoted(await transaction.tallies(), doors.policy.pinned)
    view = View(ask.chat, filter_.bar(doors.policy.bar), mutes=mutes, demoted=silent)
    told = [found for story in stories if (found := _told(story, filter_, view))]
    lines = [Text(_line(found)) for found in told[:_SHOWN]]
    if len(told) > _SHOWN:
        lines.append(Text(f"… and {len(told) - _SHOWN} more"))
    replies = sum(len(found.replies) for found in told)
    said = f"{count(len(told), 'card')} and {count(replies, 'warning')} in {length.days} days"
    return Reply(Page(f"{filter_}: {said}", parts=tuple(lines)))


def _parted(words: str) -> tuple[str, timedelta]:
    """The filter, and how far to look back: ``list:kvm 7d``."""
    rest, length = parted(words)
    if length is None:
        rest, _, last = words.strip().rpartition(" ")
        length = span(last)
    if length is None:
        return words, _USUAL
    return rest, min(length, _LONGEST)


def _told(story: Story, filter_: Filter, view: View) -> Alert | None:
    if story.now is None or not filter_.admits(story.now):
        return None
    found = compose(story, view)
    return found if isinstance(found, Alert) else None


def _line(alert: Alert) -> str:
    replies = "; ".join(one_line(reply.page.headline, 120) for reply in alert.replies)
    level = f"{alert.card.level}: " if alert.card.level else ""
    return f"{level}{alert.card.headline}, {alert.card.link}" + (f"\n{replies}" if replies else "")


COMMAND = Command(
    name="preview",
    usage="preview [FILTER] [7d]",
    summary="What a channel with this filter would have been told in the last days.",
    examples=("preview list:kvm not author:bot 7d", "preview arch:arm64"),
    answer=answer,
    aliases=("try", "dry-run"),
)
