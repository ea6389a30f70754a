"""A finding as a mail that a person can send: the hunk quoted, and our question below it.  We send none ourselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bot.model import Evidence, FileDiff, Finding, Hunk, Patch, Series
from bot.report.text import one_line

_WIDTH = 72
_AROUND = 4  # lines of the hunk on either side of the one that matters
_MOST_LINES = 40


def mail(series: Series, finding: Finding) -> str:
    """The body of a reply to the patch that brought the finding."""
    patch = next((one for one in series.patches if one.message.id == finding.introduced_by), None)
    lines: list[str] = []
    if patch is not None:
        lines += [*_greeting(patch), *(f"> {line}" for line in _quoted(patch, finding)), ""]
    lines += [*_wrapped(f"{finding.text}."), ""]
    lines += _proof(finding)
    for said in (finding.question, finding.cure):
        if said:
            lines += [*_wrapped(said), ""]
    return "\n".join(lines).rstrip() + "\n"


def _greeting(patch: Patch) -> Iterator[str]:
    message = patch.message
    when = message.sent_at.strftime("%a, %b %d, %Y") if message.sent_at else "no date"
    yield f"On {when}, {one_line(message.sender.name or message.sender.email, 60)} wrote:"


def _quoted(patch: Patch, finding: Finding) -> Iterator[str]:
    """The part of the diff that the finding rests on, cut where it is long, as people quote."""
    found = _place(patch, finding)
    if found is None:
        yield "[...]"
        return
    file, hunk, at = found
    yield f"diff --git a/{file.old_path or file.path} b/{file.path}"
    start, end = max(at - _AROUND, 0), min(at + _AROUND + 1, len(hunk.lines))
    yield f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@ {hunk.section}".rstrip()
    if start:
        yield "[...]"
    yield from (line.rstrip("\r")[:200] for line in hunk.lines[start:end])
    if end < len(hunk.lines):
        yield "[...]"


def _place(patch: Patch, finding: Finding) -> tuple[FileDiff, Hunk, int] | None:
    """The hunk and the line of it that shows the fault, else one that shows a piece of evidence."""
    wanted = [(finding.path, item.code) for item in finding.evidence if item.path == finding.path and item.line]
    wanted += [(item.path, item.code) for item in finding.evidence if item.line]
    for path, code in wanted:
        for file in patch.files:
            for hunk in file.hunks if file.path == path else ():
                for at, line in enumerate(hunk.lines):
                    if line.startswith(("+", "-")) and _tight(line[1:]) == _tight(code):
                        return file, hunk, at
    first = next(((file, file.hunks[0]) for file in patch.files if file.path == finding.path and file.hunks), None)
    return (*first, 0) if first else None


def _tight(code: str) -> str:
    return "".join(code.split())


def _proof(finding: Finding) -> list[str]:
    """The lines that the patch does not touch, where they are; those in the quote are above already."""
    shown: list[str] = []
    for item in _elsewhere(finding.evidence):
        function = f" {item.function}()" if item.function else ""
        shown += [f"{item.path}:{item.line}{function}", f"\t{one_line(item.code, 160)}", ""]
    return shown[:_MOST_LINES]


def _elsewhere(evidence: Sequence[Evidence]) -> list[Evidence]:
    return [item for item in dict.fromkeys(evidence) if item.line and not item.origin.startswith("patch")]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(one_line(text, 2000), _WIDTH, break_long_words=False, break_on_hyphens=False)
