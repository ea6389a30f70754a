"""A page as Slack blocks within Slack's limits: shortened where it must be, never refused.

Limits: https://docs.slack.dev/reference/block-kit/blocks (50 blocks, 3,000 characters a section, 10 fields of 2,000).
A message is refused near 13,000 characters of blocks, whatever these limits say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk.models.blocks import Block, ContextBlock, MarkdownTextObject, SectionBlock

from bot.chats.slack_text import FENCE, escaped, pieces
from bot.model import Code, Fields, Level, Page, Text
from bot.report.text import one_line

MOST_BLOCKS = 50
MOST_CHARACTERS = 12_000
_SECTION = 2900
_FIELD = 1900
_MOST_FIELDS = 10
_HEADLINE = 300
_LINK = 1500
_ICONS = {Level.ERROR: ":red_circle: ", Level.WARNING: ":large_orange_circle: ", Level.NOTE: ":information_source: "}


@dataclass(frozen=True, slots=True)
class Rendered:
    """What chat.postMessage and chat.update take: ``text`` is for notifications and screen readers."""

    text: str
    blocks: tuple[dict[str, Any], ...]


def rendered(page: Page) -> Rendered:
    """The page as blocks: whole if it fits, else with its long parts cut, else its first words and the link."""
    blocks: list[dict[str, Any]] = []
    whole = (page,) if _length(page) <= MOST_CHARACTERS else ()  # blocks only add to it, so the rest need not be tried
    for attempt in (*whole, _cut(page, 1000), _cut(page, 200), _shortest(page)):
        blocks = [block.to_dict() for block in _blocks(attempt)]
        if len(blocks) <= MOST_BLOCKS and len(json.dumps(blocks, ensure_ascii=False)) <= MOST_CHARACTERS:
            break
    return Rendered(_fallback(page), tuple(blocks))


def _length(page: Page) -> int:
    return sum(
        sum(len(label) + len(value) for label, value in part.pairs) if isinstance(part, Fields) else len(part.text)
        for part in page.parts
    )


def _title(page: Page) -> str:
    return escaped(one_line(page.headline, _HEADLINE)) or "(no title)"


def _fallback(page: Page) -> str:
    level = f"{page.level}: " if page.level else ""
    first = next((part.text for part in page.parts if isinstance(part, Text)), "")
    said = escaped(one_line(first, _HEADLINE))
    return f"{level}{_title(page)}" + (f" - {said}" if said else "")


def _blocks(page: Page) -> Iterator[Block]:
    yield _section(_headline(page))
    for part in page.parts:
        match part:
            case Text(text, True):
                for piece in pieces(text, _FIELD):
                    yield ContextBlock(elements=[_words(piece)])
            case Text(text):
                yield from (_section(piece) for piece in pieces(text, _SECTION))
            case Code(text):
                yield from (_section(f"{FENCE}\n{piece}\n{FENCE}") for piece in pieces(text, _SECTION))
            case Fields(pairs):
                for start in range(0, len(pairs), _MOST_FIELDS):
                    yield SectionBlock(fields=[_field(*pair) for pair in pairs[start : start + _MOST_FIELDS]])


def _headline(page: Page) -> str:
    title = _title(page)
    icon = _ICONS[page.level] if page.level else ""
    if not page.link.startswith("https://") or len(page.link) > _LINK:
        return f"{icon}*{title}*"
    # An address ends at the first bar, blank or bracket, whatever a Message-ID made of it.
    link = "".join(letter for letter in page.link if letter.isprintable() and letter not in '<>|" ')
    return f"{icon}*<{link.replace('&', '&amp;')}|{title}>*"


def _section(text: str) -> SectionBlock:
    return SectionBlock(text=_words(text))


def _words(text: str) -> MarkdownTextObject:
    # Verbatim: Slack adds no links and no mentions of its own.
    return MarkdownTextObject(text=text or " ", verbatim=True)


def _field(label: str, value: str) -> MarkdownTextObject:
    return _words(next(pieces(f"*{one_line(label, 80)}*\n{one_line(value, _FIELD)}", _FIELD)))


def _cut(page: Page, limit: int) -> Page:
    """The page with each long part cut and said to be."""
    return replace(page, parts=tuple(_shortened(part, limit) for part in page.parts[: MOST_BLOCKS // 2]))


def _shortened(part: Text | Code | Fields, limit: int) -> Text | Code | Fields:
    match part:
        case Text(text, quiet) if len(text) > limit:
            return Text(f"{text[:limit]}…", quiet)
        case Code(text) if len(text) > limit:
            return Code(f"{text[:limit]}\n… cut")
        case Fields(pairs):
            kept = [(label, one_line(value, limit)) for label, value in pairs[: _MOST_FIELDS - 1]]
            more = [("…", f"{len(pairs) - len(kept)} more")] if len(pairs) > len(kept) else []
            return Fields((*kept, *more))
        case _:
            return part


def _shortest(page: Page) -> Page:
    first = next((part for part in page.parts if isinstance(part, Text)), Text(""))
    rest = "The rest is too long for Slack" + ("; the mail is behind the link." if page.link else ".")
    return replace(page, parts=(Text(first.text[:500]), Text(rest, quiet=True)))
