"""What people put on record about a series: tags of reviewers, refusals, and the trailers that say what it mends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.mail import trailers
from bot.model import Address, Message, Series
from bot.report.text import one_line

_TAGS = {"reviewed-by": "Reviewed-by", "acked-by": "Acked-by", "tested-by": "Tested-by"}
_NAK = re.compile(r"(?:NAK|NACK|Nak|Nack|Nacked-by|Nak-by)(?:[-\s.,:!]|$)")
_ARCH = re.compile(r"(?:arch|tools/arch|tools/testing/selftests/kvm/(?:lib|include))/([a-z0-9_]{1,20})/")
_MOST_LETTERS = 20_000  # of a reply
_MOST_LINES = 500
_MOST_NAMES = 6


def fields(series: Series) -> list[tuple[str, str]]:
    """Label and value pairs: the tags with who gave them, refusals, and what the series mends."""
    pairs = []
    given: dict[str, dict[str, None]] = {}
    for tag, name in (*_of_patches(series), *_of_replies(series)):
        given.setdefault(tag, {})[one_line(name, 60)] = None
    if tags := "; ".join(f"{tag} {_names(list(given[tag]))}" for tag in (*_TAGS.values(), "NAK") if tag in given):
        pairs.append(("tags", tags))
    if mended := _mended(series):
        pairs.append(("fixes", mended))
    return pairs


def _names(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )


def _of_patches(series: Series) -> Iterator[tuple[str, str]]:
    for patch in series.patches:
        for trailer in patch.trailers:
            if trailer.name.lower() in _TAGS:
                yield _TAGS[trailer.name.lower()], _name(trailer.value)


def _of_replies(series: Series) -> Iterator[tuple[str, str]]:
    """Tags in replies, where the sender gives them: what somebody claims for another is theirs to say."""
    for reply in series.replies:
        if reply.sender.email == series.author.email:
            continue
        lines = [
            line.strip()
            for line in reply.body[:_MOST_LETTERS].split("\n")[:_MOST_LINES]
            if not line.lstrip().startswith(">")
        ]
        for trailer in trailers.read("\n".join(lines)):
            tag = _TAGS.get(trailer.name.lower())
            if tag and _same(trailer.value, reply.sender):
                yield tag, _name(trailer.value)
        if any(_NAK.match(line) for line in lines):
            yield "NAK", reply.sender.name or reply.sender.email


def _same(value: str, sender: Address) -> bool:
    text = value.casefold()
    return sender.email.casefold() in text or (bool(sender.name) and _name(value).casefold() == sender.name.casefold())


def _name(value: str) -> str:
    return value.partition("<")[0].strip(" \"'") or value


def _mended(series: Series) -> str:
    found: dict[str, None] = {}
    stable = False
    for patch in series.patches:
        for trailer in patch.trailers:
            name = trailer.name.lower()
            stable = stable or (name == "cc" and "stable@" in trailer.value)
            if name == "fixes":
                found[one_line(trailer.value, 100)] = None
    said = list(found)
    words = "; ".join(said[:3]) + (f"; … and {len(said) - 3} more" if len(said) > 3 else "")
    return ", ".join(part for part in (words, "for stable" if stable else "") if part)


def arches(series: Series) -> tuple[str, ...]:
    """The architectures whose directories the series touches, "generic" when it touches none."""
    paths = [file.path for patch in series.patches for file in patch.files]
    found = sorted({match[1] for path in paths if (match := _ARCH.match(path))})
    return tuple(found) or ("generic",)


def sent(message: Message | None) -> str:
    """The day a message says it was sent on."""
    return message.sent_at.strftime("%Y-%m-%d") if message and message.sent_at else "no date"
