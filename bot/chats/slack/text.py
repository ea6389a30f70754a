"""Text on its way to Slack and back: nothing from a mail can ping, link, format or break out of a code fence.

Source: https://docs.slack.dev/messaging/formatting-message-text (escape & < >; ``<!here>`` and ``<@U1>`` are pings).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from bot.report.text import harmless

FENCE = "```"
_APART = "\u200b"  # zero-width space: splits what Slack would otherwise read as one sign
_PING = re.compile(r"@(?=here|channel|everyone|group)", re.IGNORECASE)
_PERSON = re.compile(r"[UW][A-Z0-9]{1,20}")
_LINK = re.compile(r"<(?:mailto:[^<>|]*\|(?P<mail>[^<>|]*)|(?P<url>https?://[^<>|]*)(?:\|[^<>|]*)?)>")


def escaped(text: str) -> str:
    """The text so that Slack shows these very letters (fences and @here are split by a zero-width space)."""
    split = _PING.sub(f"@{_APART}", harmless(text)).replace(FENCE, f"`{_APART}`{_APART}`")
    return split.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    """What a person typed: Slack's own links and entities taken back.

    Slack turns a Message-ID into ``<mailto:a@b|a@b>`` and an address into ``<https://…>``.
    """
    return html.unescape(_LINK.sub(lambda link: link["mail"] or link["url"] or "", text))


def pieces(text: str, limit: int) -> Iterator[str]:
    """The text, escaped, in pieces of at most ``limit`` characters, cut between lines where that is possible."""
    piece = ""
    # Escaped whole: what is a line is decided there, "\r\n" being one break.
    for line in escaped(text).split("\n"):
        for part in _parts(line, limit):
            grown = f"{piece}\n{part}" if piece else part
            if len(grown) > limit:
                yield piece
                grown = part
            piece = grown
    if piece:
        yield piece


def _parts(whole: str, limit: int) -> Iterator[str]:
    """An escaped line, in parts of at most ``limit`` characters and never cut inside an entity."""
    while len(whole) > limit:
        cut = limit
        # The longest entity is "&amp;": one that the cut goes through starts at most 4 characters before it.
        start = whole.rfind("&", limit - 4, limit)
        if start > 0 and ";" not in whole[start:limit]:
            cut = start
        yield whole[:cut]
        whole = whole[cut:]
    yield whole


def named(text: str, people: Sequence[str]) -> str:
    """Escaped text in which "@U024BE7LH" is shown by name, for these people alone: nobody else is to be pinged."""
    for person in people:
        if _PERSON.fullmatch(person):
            text = re.sub(rf"@{person}\b", f"<@{person}>", text)
    return text
