"""Other reviewers, for company: a bot of regular expressions, and what programs are given and say."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bot.code.facts import functions_of
from bot.code.world import wanted_files, worlds
from bot.model import Base, FileDiff, Hunk, Image, Series, Wanted
from bot.truth.score import Alarm

_SOURCE = (".c", ".h")
_RCU = re.compile(r"rcu", re.IGNORECASE)
_WAITS = re.compile(r"synchronize_s?rcu|call_s?rcu|kv?free_rcu|rcu_barrier")
_PLAIN = re.compile(r"\b(?:h?list_del(?:_init)?|h?list_add(?:_tail|_head)?|list_splice\w*|kv?free)\s*\(")
_TAKEN_OUT = re.compile(r"\b(?:s?rcu_read_lock|synchronize_s?rcu|call_s?rcu|kv?free_rcu|\w+_rcu)\s*\(")
_COMPLAINT = re.compile(
    r"^(?P<path>[^:\s]++):(?P<line>\d{1,9}): (?:ERROR|WARNING|CHECK):(?P<type>\w+): (?P<text>.*)", re.MULTILINE
)
_REMARK = re.compile(r"^(?P<path>[^:\s]+):(?P<line>\d{1,9}):[\d-]+: (?P<text>.*)", re.MULTILINE)
_NUMBER = re.compile(r"\d+")


def by_regex(series: Series) -> tuple[Alarm, ...]:
    """What a bot without any idea of C would say, hunk by hunk of those that speak of RCU.

    Plain list operations and frees that are added where nothing waits, and RCU calls that are taken out.
    """
    places = _Places(states(series, Base())[1])
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
    places = _Places(states(series, Base())[1])
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


def changed_files(series: Series) -> Wanted:
    """What a program that reads whole files needs of a tree."""
    return wanted_files([patch.files for patch in series.patches])


def states(series: Series, base: Base) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
    """The files of a series before it and after it; fragments where the base does not have them."""
    drawn = worlds([patch.files for patch in series.patches], base)
    return drawn.before.images, drawn.after[-1].images if drawn.after else ()


@dataclass(frozen=True, slots=True)
class Remark:
    """What a program says of a line of a file."""

    program: str
    path: str
    line: int
    text: str


def remarks(output: str, program: str) -> tuple[Remark, ...]:
    """The lines ``path:line:columns: text`` of Coccinelle's report mode."""
    return tuple(
        Remark(program, match["path"], int(match["line"]), match["text"]) for match in _REMARK.finditer(output)
    )


def found_by_semgrep(output: str) -> tuple[Remark, ...]:
    """What ``semgrep scan --json`` found; nothing where it printed no JSON."""
    try:
        results = json.loads(output)["results"]
    except (ValueError, KeyError):
        return ()
    return tuple(
        Remark(one["check_id"].rpartition(".")[2], one["path"], one["end"]["line"], one["extra"]["message"])
        for one in results
    )


def news(before: tuple[Remark, ...], after: tuple[Remark, ...], images: tuple[Image, ...]) -> tuple[Alarm, ...]:
    """The remarks that a change brings, as alarms: a text about a function that is there more often than before."""
    places = _Places(images)
    old = Counter((remark.program, remark.path, _plain(remark.text)) for remark in before)
    said: dict[tuple[str, str, str], Alarm] = {}
    for remark in after:
        kind = (remark.program, remark.path, _plain(remark.text))
        old[kind] -= 1
        if old[kind] < 0:
            function, line = places.at(remark.path, remark.line)
            alarm = Alarm(remark.program, remark.path, function, line, remark.text, "file")
            said.setdefault((remark.program, remark.path, function), alarm)
    return tuple(said.values())


def _plain(text: str) -> str:
    """The text without the numbers of lines, which a change moves."""
    return _NUMBER.sub("#", text)


class _Places:
    """The functions of the files of a series after it."""

    def __init__(self, images: tuple[Image, ...]) -> None:
        self._images = {image.path: image for image in images}
        self._functions = [function for image in images for function in functions_of(image)]

    def function(self, path: str, line: int) -> str:
        """The function that a line lies in, "" outside of all."""
        before = [function for function in self._functions if function.path == path and function.line <= line]
        return max(before, key=lambda function: function.line).name if before else ""

    def at(self, path: str, line: int) -> tuple[str, int]:
        """The function and the file's own line of a line of an image."""
        image = self._images.get(path)
        line = image.file_line(line) if image else line
        return self.function(path, line), line
