"""A page as plain text for a terminal: wrapped to its width, with hostile characters made visible and harmless."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator

from bot.model import Code, Fields, Page, Text

# Joiners shape letters in names and cannot hide or reorder anything.
_JOINERS = {"\u200c", "\u200d"}
_SUSPECT = re.compile(r"[^\t\n -~]")
_HIDDEN = {"Cc", "Cf", "Zl", "Zp", "Cn"}


def harmless(text: str) -> str:
    """The text with everything that steers a terminal or reorders letters spelled out.

    Control characters and ANSI escapes become ``\\x1b``, bidirectional overrides and invisible characters ``<U+202E>``,
    bytes that were no UTF-8 the replacement character.  Tabs and newlines stay.
    """
    return _SUSPECT.sub(_spelled, text.replace("\r\n", "\n"))


def _spelled(match: re.Match[str]) -> str:
    letter = match[0]
    category = unicodedata.category(letter)
    if category == "Cs":
        return "\ufffd"
    if category not in _HIDDEN or letter in _JOINERS:
        return letter
    return f"\\x{ord(letter):02x}" if ord(letter) < 0xA0 else f"<U+{ord(letter):04X}>"


def one_line(text: str, limit: int = 0) -> str:
    """The text without line breaks or runs of blanks, cut to ``limit`` characters when that is not 0."""
    # Cut before anything looks at it all: a subject can be a megabyte.
    short = " ".join(text[: 8 * limit or None].split())
    return short if not limit or len(short) <= limit else short[: limit - 1].rstrip() + "…"


def render(page: Page, width: int = 80) -> str:
    """The page as lines of at most ``width`` characters (code is never wrapped), ending in a newline."""
    return "\n".join(_lines(page, max(width, 20))) + "\n"


def _lines(page: Page, width: int) -> Iterator[str]:
    level = f"{page.level}: " if page.level else ""
    yield from _wrapped(level + page.headline, width)
    if page.link:
        yield harmless(one_line(page.link))
    for part in page.parts:
        match part:
            case Text():
                for line in part.text.splitlines():
                    yield from _wrapped(line, width)
            case Fields():
                yield from _fields(part, width)
            case Code():
                yield from (f"    {line}" for line in harmless(part.text).split("\n"))


def _wrapped(text: str, width: int, indent: str = "") -> list[str]:
    # Links and paths are to be copied, so a long word runs over rather than being broken.
    return textwrap.wrap(
        harmless(text),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
    ) or [""]


def _fields(fields: Fields, width: int) -> Iterator[str]:
    column = max((len(label) for label, _ in fields.pairs), default=0) + 2
    for label, value in fields.pairs:
        yield from _wrapped(f"{label:<{column}}{value}".replace("\n", " "), width, " " * column)
