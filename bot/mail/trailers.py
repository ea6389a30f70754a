"""The trailers of a commit message (Fixes:, Link:, ...-by:) and the lines that name a patch's base."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.model import Trailer

_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,40})[ \t]?:[ \t]+(\S.*)")
# git and b4 write these below the diff, at the start of a line, where no line of a diff can begin.
_BELOW = re.compile(r"^(base-commit|prerequisite-patch-id|prerequisite-change-id|change-id): ([^\s].*)$", re.MULTILINE)
# Names that are trailers wherever in the message they stand; any other name only in the last paragraph.
_ALWAYS = frozenset({"fixes", "link", "closes", "cc", "bugzilla", "reported-by", "suggested-by", "supersedes"})
_LONGEST = 2000
_MOST = 500


def read(text: str) -> tuple[Trailer, ...]:
    """The trailers of a mail's text, in their order.

    Only the commit message is asked, which ends at ``---`` or at the diff; and, for base-commit and its like, the rest
    of the text, at the start of a line.  A trailer that goes on in an indented line is joined, and so is a Fixes: whose
    title was wrapped.  Source: git-interpret-trailers(1), Documentation/process/submitting-patches.rst.
    """
    found: list[Trailer] = []
    paragraph: list[Trailer] = []
    for line in _unwrapped(_message(text)):
        match = _LINE.fullmatch(line)
        if match:
            paragraph.append(_trailer(match))
        elif not line.strip():
            found, paragraph = _kept(found) + paragraph, []
    found = _kept(found) + paragraph
    below = [_trailer(match) for match in _BELOW.finditer(text)]
    return tuple(dict.fromkeys([*found, *below]))[:_MOST]


def _trailer(match: re.Match[str]) -> Trailer:
    """Its value is for people and must print: a byte that is no UTF-8 becomes a replacement character."""
    value = match[2].strip()
    value = value if value.isprintable() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return Trailer(match[1], value[:_LONGEST])


def _kept(trailers: list[Trailer]) -> list[Trailer]:
    """Those of an earlier paragraph that are trailers for sure: "Note: ..." in prose is none."""
    return [one for one in trailers if one.name.lower() in _ALWAYS or one.name.lower().endswith("-by")]


def _message(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if line == "---" or line.startswith(("diff --", "Index: ", "-- ", "--- a/")):
            break
        lines.append(line[:_LONGEST])
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _unwrapped(lines: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for line in lines:
        last = joined[-1] if joined else ""
        going_on = line[:1] in (" ", "\t") and line.strip()
        open_title = last.lower().startswith("fixes:") and '("' in last and '")' not in last and line.strip()
        if last and len(last) < _LONGEST and _LINE.fullmatch(last) and (going_on or open_title):
            joined[-1] = f"{last} {line.strip()}"
        else:
            joined.append(line)
    return joined
