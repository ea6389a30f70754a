"""A page as the content of a Matrix message: plain words for every client, and the little HTML that they agree on.

Source: https://spec.matrix.org/v1.16/client-server-api/#mroommessage-msgtypes; an event may have 65,536 bytes in all.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bot.model import Action, Code, Fields, Page, Text
from bot.report.text import harmless, one_line, render

MOST_BYTES = 60_000
_WIDTH = 100
_FOLDS = (6000, 1500, 300)  # characters of a part, the most generous that fits is taken
_MOST_PARTS, _MOST_PAIRS, _MOST_ACTIONS = 25, 25, 12


def content(page: Page) -> dict[str, Any]:
    """The page as a notice that pings nobody, whole if it fits, else with its long parts folded."""
    page = replace(page, parts=tuple(_named(part) for part in page.parts))
    made = _content(page) if _length(page) <= MOST_BYTES else {}
    for limit in _FOLDS:
        if made and len(json.dumps(made).encode()) <= MOST_BYTES:
            break
        made = _content(_folded(page, limit))
    return made


def _named(part: Text | Code | Fields) -> Text | Code | Fields:
    """People stand in a text as "@" and their id, and an id of Matrix begins with one."""
    if not isinstance(part, Text):
        return part
    text = part.text
    for person in part.people:
        text = text.replace(f"@{person}", person) if person.startswith("@") else text
    return replace(part, text=text)


def _content(page: Page) -> dict[str, Any]:
    typed = [line for action in page.actions if (line := to_type(action))]
    return {
        "msgtype": "m.notice",
        "body": render(page, _WIDTH) + "".join(f"{harmless(line)}\n" for line in typed),
        "format": "org.matrix.custom.html",
        "formatted_body": "".join(_html(page, typed)),
        "m.mentions": {},  # said to be empty, so that no "@room" of a mail counts as one
    }


def to_type(action: Action) -> str:
    """What to type in place of a click."""
    if action.link:
        return f"{one_line(action.label, 80)}: {one_line(action.link, 500)}"
    answer = " …" if action.asks else ""
    asks = f" ({one_line(action.asks, 150)})" if action.asks else ""
    return f"{one_line(action.label, 80)}: !rcu {one_line(action.words, 500)}{answer}{asks}" if action.words else ""


def _html(page: Page, typed: list[str]) -> Iterator[str]:
    title = _escaped(one_line(page.headline, 300)) or "(no title)"
    level = f"{page.level}: " if page.level else ""
    link = page.link if page.link.startswith("https://") else ""
    yield (
        f'<p>{level}<strong><a href="{html.escape(link)}">{title}</a></strong></p>'
        if link
        else (f"<p>{level}<strong>{title}</strong></p>")
    )
    for part in page.parts:
        match part:
            case Text():
                said = _escaped(part.text).replace("\n", "<br>")
                yield f"<p><sub>{said}</sub></p>" if part.quiet else f"<p>{said}</p>"
            case Code():
                yield f"<pre><code>{_escaped(part.text)}</code></pre>"
            case Fields():
                rows = (f"<li><em>{_escaped(label)}</em> {_escaped(value)}</li>" for label, value in part.pairs)
                yield f"<ul>{''.join(rows)}</ul>"
    if typed:
        yield f"<ul>{''.join(f'<li><code>{_escaped(line)}</code></li>' for line in typed)}</ul>"


def _escaped(text: str) -> str:
    return html.escape(harmless(text))


def _length(page: Page) -> int:
    return sum(
        sum(len(label) + len(value) for label, value in part.pairs) if isinstance(part, Fields) else len(part.text)
        for part in page.parts
    )


def _folded(page: Page, limit: int) -> Page:
    parts = tuple(_shortened(part, limit) for part in page.parts[:_MOST_PARTS])
    short = replace(
        page, headline=one_line(page.headline, 300), link=page.link[:1000], actions=page.actions[:_MOST_ACTIONS]
    )
    return replace(short, parts=parts)


def _shortened(part: Text | Code | Fields, limit: int) -> Text | Code | Fields:
    match part:
        case Fields(pairs):
            return Fields(tuple((one_line(label, 80), one_line(value, limit)) for label, value in pairs[:_MOST_PAIRS]))
        case _ if len(part.text) <= limit:
            return part
        case Text():
            return replace(part, text=f"{part.text[:limit]}…")
        case Code(text):
            return Code(f"{text[:limit]}\n… {text.count(chr(10), limit):,} more lines")
