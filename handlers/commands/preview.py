"""preview: what a channel with this filter would have been told lately; nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.model import Ask, Page, Reply, Text
from bot.report.card import count
from bot.report.filters import FilterError, parse
from bot.report.spans import parted, span
from handlers.command import Command, UnclearError
from handlers.doors import Doors
from handlers.permits import channel_of
from handlers.policy import Place
from handlers.previewed import Said

_USUAL = timedelta(days=7)
_LONGEST = timedelta(days=30)
_SHOWN = 20


async def answer(ask: Ask, doors: Doors) -> Reply:
    words, length = _parted(ask.words)
    try:
        filter_ = parse(words)
    except FilterError as fault:
        raise UnclearError(f"{fault} `{COMMAND.usage}`") from fault
    if doors.preview is None:
        raise UnclearError("Nothing was kept here that could be previewed.")
    here = (ask.chat, channel_of(ask))
    place = next((one for one in doors.policy.places if (one.chat, one.channel) == here), None)
    said = await doors.preview(place or Place(*here, doors.policy.bar), str(filter_) if words else "", length)
    what = str(filter_) if words else f"what {here[1]} hears of"
    return Reply(_page(f"{what}, {length.days} days", said))


def _parted(words: str) -> tuple[str, timedelta]:
    """The filter, and how far to look back: ``list:kvm 7d``."""
    rest, length = parted(words)
    if length is None:
        rest, _, last = words.strip().rpartition(" ")
        length = span(last)
    if length is None:
        return words, _USUAL
    return rest, min(max(length, timedelta(days=1)), _LONGEST)


def _page(what: str, said: Sequence[Said]) -> Page:
    cards, edits = sum(one.card and not one.edit for one in said), sum(one.edit for one in said)
    figures = (
        f"{count(cards, 'card')}, {count(len(said) - cards - edits, 'warning')}, {count(edits, 'edit')} of what stands"
    )
    new = [one for one in said if not one.edit]
    lines = [Text(_line(one)) for one in new[:_SHOWN]]
    if len(new) > _SHOWN:
        lines.append(Text(f"… and {len(new) - _SHOWN} more", quiet=True))
    return Page(f"{what}: {figures}", parts=tuple(lines))


def _line(said: Said) -> str:
    level = f"{said.page.level}: " if said.page.level else ""
    link = f", {said.page.link}" if said.card and said.page.link else ""
    return f"{'' if said.card else '└ '}{level}{said.page.headline}{link}"


COMMAND = Command(
    name="preview",
    usage="preview [FILTER] [7d]",
    summary="What this channel, or one with this filter, would have been told in the last days.",
    examples=("preview", "preview list:kvm not author:bot 7d"),
    answer=answer,
    aliases=("try", "dry-run"),
)
