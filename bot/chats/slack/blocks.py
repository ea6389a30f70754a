"""A page as Slack blocks within Slack's limits: shortened where it must be, never refused.

Limits: https://docs.slack.dev/reference/block-kit/blocks (50 blocks, 3,000 characters a section, 10 fields of 2,000).
A message is refused near 13,000 characters of blocks, whatever these limits say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, ContextBlock, MarkdownTextObject, SectionBlock

from bot.chats.slack.buttons import buttons
from bot.chats.slack.text import FENCE, escaped, named, pieces
from bot.model import Code, Fields, Level, Page, Text
from bot.report.text import one_line

MOST_BLOCKS = 50
MOST_CHARACTERS = 12_000
_SECTION = 2900
_FIELD = 1900
_MOST_FIELDS = 10
_HEADLINE = 300
_LINK = 1500
_FOLDS = (2800, 2000, 1000, 200)  # characters of a part, the most generous that fits is taken
_MOST_BUTTONS, _FEW_BUTTONS, _SHORT_ACTION = 25, 10, 300
_ICONS = {Level.ERROR: ":red_circle: ", Level.WARNING: ":large_orange_circle: ", Level.NOTE: ":information_source: "}


@dataclass(frozen=True, slots=True)
class Rendered:
    """What chat.postMessage and chat.update take: ``text`` is for notifications and screen readers."""

    text: str
    blocks: tuple[dict[str, Any], ...]


def rendered(page: Page) -> Rendered:
    """The page as blocks: whole if it fits, else with its long parts folded, else its first words and the link.

    The blocks are made of the types of Slack's own library, which refuse what Slack would refuse.
    """
    whole = (page,) if _length(page) <= MOST_CHARACTERS else ()  # blocks only add to it, so the rest need not be tried
    for attempt in (*whole, *(_folded(page, limit) for limit in _FOLDS), _shortest(page)):
        if blocks := _fitting(attempt):
            return Rendered(_fallback(page), blocks)
    return Rendered(_fallback(page), (_section(_headline(page)).to_dict(),))


def _fitting(page: Page) -> tuple[dict[str, Any], ...]:
    """The blocks of a page, () when Slack would refuse them."""
    try:
        blocks = tuple(block.to_dict() for block in _blocks(page))
    except SlackObjectFormationError:
        return ()
    fits = len(blocks) <= MOST_BLOCKS and len(json.dumps(blocks, ensure_ascii=False)) <= MOST_CHARACTERS
    return blocks if fits else ()


def _length(page: Page) -> int:
    return sum(len(action.words) + len(action.link) for action in page.actions) + sum(
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
            case Text(text, True, people):
                for piece in pieces(text, _FIELD):
                    yield ContextBlock(elements=[_words(named(piece, people))])
            case Text(text, _, people):
                yield from (_section(named(piece, people)) for piece in pieces(text, _SECTION))
            case Code(text):
                yield from (_section(f"{FENCE}\n{piece}\n{FENCE}") for piece in pieces(text, _SECTION))
            case Fields(pairs):
                for start in range(0, len(pairs), _MOST_FIELDS):
                    yield SectionBlock(fields=[_field(*pair) for pair in pairs[start : start + _MOST_FIELDS]])
    yield from buttons(page.actions)


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


def _folded(page: Page, limit: int) -> Page:
    """The page with each long part folded and said to be."""
    parts = tuple(_shortened(part, limit) for part in page.parts[: MOST_BLOCKS // 2])
    return replace(page, parts=parts, actions=page.actions[:_MOST_BUTTONS])


def _shortened(part: Text | Code | Fields, limit: int) -> Text | Code | Fields:
    match part:
        case Text(text, quiet) if len(text) > limit:
            return Text(f"{text[:limit]}…", quiet)
        case Code(text) if len(text) > limit:
            kept = text[: text.rfind("\n", 0, limit) if "\n" in text[:limit] else limit]
            folded = text.count("\n", len(kept))
            return Code(f"{kept}\n… {folded:,} more lines" if folded else f"{kept}\n… cut")
        case Fields(pairs):
            kept_pairs = [(label, one_line(value, limit)) for label, value in pairs[: _MOST_FIELDS - 1]]
            more = [("…", f"{len(pairs) - len(kept_pairs)} more")] if len(pairs) > len(kept_pairs) else []
            return Fields((*kept_pairs, *more))
        case _:
            return part


def _shortest(page: Page) -> Page:
    first = next((part for part in page.parts if isinstance(part, Text)), Text(""))
    rest = "The rest is too long for Slack" + ("; the mail is behind the link." if page.link else ".")
    short = tuple(action for action in page.actions if len(action.words) + len(action.link) <= _SHORT_ACTION)
    return replace(page, parts=(Text(first.text[:500]), Text(rest, quiet=True)), actions=short[:_FEW_BUTTONS])
