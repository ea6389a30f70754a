"""Other reviewers of patches, for company: a bot of regular expressions, and what checkpatch.pl is given and says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import functions_of
from bot.code.world import worlds
from bot.model import Base, FileDiff, Hunk, Series
from bot.truth.score import Alarm

_SOURCE = (".c", ".h")
_RCU = re.compile(r"rcu", re.IGNORECASE)
_WAITS = re.compile(r"synchronize_s?rcu|call_s?rcu|kv?free_rcu|rcu_barrier")
_PLAIN = re.compile(r"\b(?:h?list_del(?:_init)?|h?list_add(?:_tail|_head)?|list_splice\w*|kv?free)\s*\(")
_TAKEN_OUT = re.compile(r"\b(?:s?rcu_read_lock|synchronize_s?rcu|call_s?rcu|kv?free_rcu|\w+_rcu)\s*\(")
_COMPLAINT = re.compile(r"(?P<path>[^:\s]+):(?P<line>\d{1,9}): (?:ERROR|WARNING|CHECK):(?P<type>\w+): (?P<text>.*)")


def by_regex(series: Series) -> tuple[Alarm, ...]:
    """What a bot without any idea of C would say, hunk by hunk of those that speak of RCU.

    Plain list operations and frees that are added where nothing waits, and RCU calls that are taken out.
    """
    places = _Places(series)
    said: dict[tuple[str, str, str], Alarm] = {}
    for file in _files(series):
        for hunk in file.hunks:
            for rule, line, text in _suspicious(hunk):
                function = places.function(file.path, line)
                said.setdefault((rule, file.path, function), Alarm(rule, file.path, function, line, text, "hunk"))
    return tuple(said.values())


def _suspicious(hunk: Hunk) -> Iterator[tuple[str, int, str]]:
    """(rule, line after the patch, code)."""
    shown = "\n".join(line[1:] for line in hunk.lines if line[:1] != "-")
    number = hunk.new_start
    speaks = any(_RCU.search(line) for line in hunk.lines)
    for line in hunk.lines:
        if speaks and line[:1] == "+" and _PLAIN.search(line) and not _WAITS.search(shown):
            yield "regex-plain-primitive", number, line[1:].strip()
        if line[:1] == "-" and _TAKEN_OUT.search(line) and not _TAKEN_OUT.search(shown):
            yield "regex-taken-out", number, line[1:].strip()
        number += line[:1] != "-"


def complaints(output: str, series: Series) -> tuple[Alarm, ...]:
    """The lines of ``checkpatch.pl --terse --showfile --show-types`` that speak of RCU, as alarms.

    All its other remarks are about style, and would make a hit of any patch.
    """
    places = _Places(series)
    return tuple(
        Alarm(
            f"checkpatch-{match['type']}",
            match["path"],
            places.function(match["path"], int(match["line"])),
            int(match["line"]),
            match["text"],
            "hunk",
        )
        for match in _COMPLAINT.finditer(output)
        if _RCU.search(match["text"])
    )


def unified(series: Series) -> str:
    """The patches of a series as one diff, for programs that read files."""
    return "".join(f"{line}\n" for file in _files(series) for line in _lines(file))


def _lines(file: FileDiff) -> Iterator[str]:
    old, new = (
        f"{side}/{path}" if path else "/dev/null" for side, path in (("a", file.old_path), ("b", file.new_path))
    )
    yield f"diff --git a/{file.old_path or file.path} b/{file.path}"
    yield f"--- {old}"
    yield f"+++ {new}"
    for hunk in file.hunks:
        yield f"@@ -{hunk.old_start},{hunk.old_count} +{hunk.new_start},{hunk.new_count} @@ {hunk.section}".rstrip()
        yield from hunk.lines


def _files(series: Series) -> Iterator[FileDiff]:
    for patch in series.patches:
        yield from (file for file in patch.files if file.path.endswith(_SOURCE) and not file.binary)


class _Places:
    """The functions of a series' files after it, as its hunks show them."""

    def __init__(self, series: Series) -> None:
        drawn = worlds([patch.files for patch in series.patches], Base())
        images = drawn.after[-1].images if drawn.after else ()
        self._functions = [function for image in images for function in functions_of(image)]

    def function(self, path: str, line: int) -> str:
        """The function that a line lies in, "" outside of all."""
        before = [function for function in self._functions if function.path == path and function.line <= line]
        return max(before, key=lambda function: function.line).name if before else ""
