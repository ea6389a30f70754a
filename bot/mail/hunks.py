"""The hunks of one file's diff, read by the counts of their headers; damage is recognised, not guessed over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.model import Hunk

_HEADER = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: |$|\r)")
_VERSION = re.compile(r"\d+\.\d")
_BODY = (" ", "+", "-")
_DASHES = frozenset({"-- ", "--", "-- \r", "--\r"})


@dataclass(slots=True)
class _Lines:
    """What was gathered of one hunk, and where its reading stopped."""

    taken: list[str]
    old: int
    new: int
    missing_newline: str
    end: int
    complete: bool


def starts_hunk(line: str) -> bool:
    return line.startswith("@@ -") and _HEADER.match(line) is not None


def ends_diff(lines: Sequence[str], at: int) -> bool:
    """Does line ``at`` begin something else: another file, another hunk, or the mail's signature?"""
    line = lines[at]
    if line.startswith(("@@ -", "diff --", "Index: ")):
        return True
    if line.startswith("--- "):
        return at + 1 < len(lines) and lines[at + 1].startswith("+++ ")
    return is_signature(lines, at)


def is_signature(lines: Sequence[str], at: int) -> bool:
    """``-- `` and git's version below it; without the version it may as well be the removed line "- "."""
    if lines[at] not in _DASHES:
        return False
    below = lines[at + 1 : at + 4]
    return not any(line.strip() for line in below) or _VERSION.match(below[0]) is not None


def read_hunk(lines: Sequence[str], at: int) -> tuple[Hunk | None, int, str]:
    """The hunk whose header is line ``at``, the line where to go on, and what is wrong with it ("" when nothing).

    Counts that lie are replaced by those of the lines that are there (as ``git apply --recount`` does).  A hunk with
    wrapped lines is given up, for nobody can say any more what it changes.
    """
    match = _HEADER.match(lines[at])
    if match is None:
        return None, at + 1, "mangled: a hunk header that cannot be read"
    old_start, new_start = int(match[1]), int(match[3])
    old_count = 1 if match[2] is None else int(match[2])
    new_count = 1 if match[4] is None else int(match[4])
    section = lines[at][match.end() :].rstrip("\r")
    got = _by_count(lines, at + 1, old_count, new_count)
    problem = ""
    if not got.complete:
        damage = _damage(lines, got.end)
        if damage:
            return None, _resync(lines, got.end), damage
        got = _by_look(lines, at + 1)
        told = f"-{old_start},{old_count} +{new_start},{new_count}"
        problem = f"the hunk {told} has {got.old} old and {got.new} new lines, not what its header says"
    hunk = Hunk(old_start, got.old, new_start, got.new, section, tuple(got.taken), got.missing_newline)
    return hunk, got.end, problem


def _by_count(lines: Sequence[str], at: int, old: int, new: int) -> _Lines:
    want_old, want_new = old, new
    taken: list[str] = []
    missing = ""
    size = len(lines)
    while at < size and (old > 0 or new > 0):
        line = lines[at]
        kind = line[:1]
        if kind == " ":
            old -= 1
            new -= 1
        elif kind == "+":
            new -= 1
        elif kind == "-":
            if is_signature(lines, at) and _only_signature_left(lines, at):
                break
            old -= 1
        elif not line or line == "\r":  # a mailer took the blank of an empty context line
            old -= 1
            new -= 1
            line = " " + line
        elif kind == "\\" and taken:
            missing += _side(taken[-1])
            at += 1
            continue
        else:
            break
        taken.append(line)
        at += 1
    if at < size and lines[at].startswith("\\") and taken:
        missing += _side(taken[-1])
        at += 1
    exact = old == 0 and new == 0 and not _goes_on(lines, at)
    return _Lines(taken, want_old - old, want_new - new, _sides(missing), at, exact)


def _by_look(lines: Sequence[str], at: int) -> _Lines:
    taken: list[str] = []
    missing = ""
    while at < len(lines):
        line = lines[at]
        if line.startswith("\\") and taken:
            missing += _side(taken[-1])
        elif not line or line == "\r":
            taken.append(" " + line)
        elif line.startswith(_BODY) and not ends_diff(lines, at):
            taken.append(line)
        else:
            break
        at += 1
    while taken and not taken[-1].strip(" \r"):
        taken.pop()
    old = sum(not line.startswith("+") for line in taken)
    new = sum(not line.startswith("-") for line in taken)
    return _Lines(taken, old, new, _sides(missing), at, complete=True)


def _goes_on(lines: Sequence[str], at: int) -> bool:
    """Are there changed lines behind the last one that the header counted?"""
    return at < len(lines) and lines[at].startswith(("+", "-")) and not _apart(lines, at)


def _apart(lines: Sequence[str], at: int) -> bool:
    return lines[at].rstrip(" \r") in ("--", "---") or ends_diff(lines, at)


def _damage(lines: Sequence[str], at: int) -> str:
    """Why line ``at`` cannot be in a hunk although more of the hunk follows it; "" when the hunk just ends early."""
    if at >= len(lines) or lines[at].startswith(_BODY) or not lines[at].strip() or ends_diff(lines, at):
        return ""
    for later in range(at + 1, len(lines)):
        if ends_diff(lines, later):
            break
        if lines[later].startswith(_BODY) and not lines[later].startswith("---"):
            return f"mangled: line {at + 1} of the text lost its first character or was wrapped by a mail program"
    return ""


def _resync(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not ends_diff(lines, at):
        at += 1
    return at


def _only_signature_left(lines: Sequence[str], at: int) -> bool:
    """Is nothing of a diff behind the signature?  Short looks only, so that crafted mails cost no time."""
    return all(not line.startswith(("@@ -", "diff --")) for line in lines[at + 1 : at + 40])


def _side(line: str) -> str:
    return {"+": "+", "-": "-"}.get(line[:1], "-+")


def _sides(text: str) -> str:
    return "".join(side for side in "-+" if side in text)
