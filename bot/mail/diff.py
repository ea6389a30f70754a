"""Unified diffs with git's extended headers: a patch's text in, what it does to each file out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.mail import hunks, paths
from bot.model import FileChange, FileDiff, Hunk

_INDEX = re.compile(r"index ([0-9a-f]{4,64})\.\.([0-9a-f]{4,64})(?: ([0-7]{6}))?\s*$")
_EXTENDED = (
    "old mode ",
    "new mode ",
    "deleted file mode ",
    "new file mode ",
    "copy from ",
    "copy to ",
    "rename from ",
    "rename to ",
    "similarity index ",
    "dissimilarity index ",
    "index ",
)
_COMBINED = ("diff --cc ", "diff --combined ")
_MOST_PROBLEMS = 20
_OPPOSITE = {FileChange.ADDED: FileChange.DELETED, FileChange.DELETED: FileChange.ADDED}


@dataclass(slots=True)
class _Reading:
    """What was found so far in one text."""

    files: list[FileDiff] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seen: set[FileDiff] = field(default_factory=set)
    git: bool = False  # did a "diff --git" section come yet?
    separated: bool = False  # did the "---" line come that ends the commit message?

    def forget(self, why: str) -> None:
        if self.files:
            self.problems.append(f"{len(self.files)} file(s) {why} were left out")
            self.files.clear()
            self.seen.clear()


@dataclass(slots=True)
class _Header:
    """What stands above the hunks of one file."""

    old: str | None = None
    new: str | None = None
    told: dict[str, str] = field(default_factory=dict)  # extended header -> its value
    named: bool = False  # are both names known?
    bare: bool = False  # are the names free of prefixes already?


def read(text: str) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
    """All file diffs in a text and, in words, what in it could not be read.

    Prose around the diff is skipped.  Only text at the start of a line counts: a quoted diff (``> @@``) or an indented
    one is prose.  Never raises; time grows linearly with the text.  Source: git-diff(1) "Generating patch text with
    -p", git-apply(1).
    """
    lines = text.split("\n")
    reading = _Reading()
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("diff --git "):
            at = _git_section(lines, at, reading)
        elif line.startswith("--- ") and _plain_starts(lines, at):
            at = _plain_section(lines, at, reading)
        elif line.startswith(_COMBINED):
            reading.problems.append(f"the combined diff of a merge is not read: {_shown(line.split(' ', 2)[2])}")
            at += 1
        else:
            if line in ("---", "---\r") and not reading.separated:
                reading.separated = True
                reading.forget("in a diff above the '---' line, in the commit message,")
            at += 1
    return tuple(reading.files), _few(reading.problems)


def reverse(file: FileDiff) -> FileDiff:
    """The diff that undoes this one.  Undoing a copy deletes what it made."""
    change = _OPPOSITE.get(file.change, file.change)
    new_path = file.old_path
    if file.change is FileChange.COPIED:
        change, new_path = FileChange.DELETED, None
    return replace(
        file,
        old_path=file.new_path,
        new_path=new_path,
        change=change,
        hunks=tuple(_reverse_hunk(hunk) for hunk in file.hunks),
        old_blob=file.new_blob,
        new_blob=file.old_blob,
        old_mode=file.new_mode,
        new_mode=file.old_mode,
    )


def _reverse_hunk(hunk: Hunk) -> Hunk:
    lines: list[str] = []
    gone: list[str] = []
    come: list[str] = []
    for line in (*hunk.lines, " "):
        if line.startswith("+"):
            gone.append("-" + line[1:])
        elif line.startswith("-"):
            come.append("+" + line[1:])
        else:
            lines += (*gone, *come, line)
            gone.clear()
            come.clear()
    lines.pop()
    missing = "".join(side for side in "-+" if {"-": "+", "+": "-"}[side] in hunk.missing_newline)
    return Hunk(hunk.new_start, hunk.new_count, hunk.old_start, hunk.old_count, hunk.section, tuple(lines), missing)


def _plain_starts(lines: Sequence[str], at: int) -> bool:
    return at + 2 < len(lines) and lines[at + 1].startswith("+++ ") and hunks.starts_hunk(lines[at + 2])


def _plain_section(lines: Sequence[str], at: int, reading: _Reading) -> int:
    """One file of a diff without git's headers, as quilt and diff(1) write them."""
    header = _Header(named=True)
    header.old, header.new = paths.header_name(lines[at][4:]), paths.header_name(lines[at + 1][4:])
    if header.old and header.new:
        header.old, header.new = paths.strip_pair(header.old, header.new)
        header.old = header.new  # foo.c.orig and foo.c are one file
        header.bare = True
    if lines[at + 2].startswith("@@ -0,0 "):
        header.old = None
    elif " +0,0 @@" in lines[at + 2]:
        header.new = None
    return _body(lines, at + 2, header, reading)


def _git_section(lines: Sequence[str], start: int, reading: _Reading) -> int:
    header = _Header()
    at = start + 1
    while at < len(lines) and lines[at].startswith(_EXTENDED):
        line = lines[at].rstrip("\r")
        name = next(known for known in _EXTENDED if line.startswith(known))
        header.told[name.strip()] = line[len(name) :]
        at += 1
    if at + 1 < len(lines) and lines[at].startswith("--- ") and lines[at + 1].startswith("+++ "):
        header.old, header.new = paths.header_name(lines[at][4:]), paths.header_name(lines[at + 1][4:])
        header.named = True
        at += 2
    pair = paths.git_pair(lines[start][len("diff --git ") :])
    if not header.named:
        if pair is None or not header.told:
            if header.told or (pair and pair[0].startswith("a/")):
                reading.problems.append(f"a diff header without a diff: {_shown(lines[start])}")
            return at
        header.old, header.new = pair
    if not reading.git:
        reading.git = True
        reading.forget("of a diff without git headers, before the git diff,")
    return _body(lines, at, header, reading)


def _body(lines: Sequence[str], at: int, header: _Header, reading: _Reading) -> int:
    """The hunks or the binary part below a header; adds the file, or the reason why it is none."""
    binary = at < len(lines) and lines[at].startswith(("Binary files ", "GIT binary patch"))
    if binary:
        at = _after_binary(lines, at)
    found: list[Hunk] = []
    file = _file(header, binary=binary)
    name = _shown(file.path)
    while at < len(lines) and lines[at].startswith("@@ -"):
        hunk, at, problem = hunks.read_hunk(lines, at)
        if hunk is not None:
            found.append(hunk)
        if problem:
            reading.problems.append(f"{name}: {problem}")
    file = replace(file, hunks=tuple(found))
    bad = [path for path in (file.old_path, file.new_path) if path is not None and paths.leaves_tree(path)]
    if bad or not file.path:
        reading.problems.append(f"a path outside the tree was refused: {_shown(bad[0] if bad else '')}")
    elif file in reading.seen:
        reading.problems.append(f"{name}: the same diff is there twice and counts once")
    else:
        reading.seen.add(file)
        reading.files.append(file)
    return at


def _file(header: _Header, *, binary: bool) -> FileDiff:
    told = header.told
    old, new = (header.old, header.new) if header.bare else paths.strip_pair(header.old, header.new)
    change = FileChange.MODIFIED
    if "new file mode" in told or header.old is None:
        old, change = None, FileChange.ADDED
    elif "deleted file mode" in told or header.new is None:
        new, change = None, FileChange.DELETED
    elif "rename to" in told or "copy to" in told:
        word, change = ("rename", FileChange.RENAMED) if "rename to" in told else ("copy", FileChange.COPIED)
        old, new = paths.unquote(told.get(f"{word} from", old or "")), paths.unquote(told[f"{word} to"])
    elif old != new:  # a rename without git's word for it
        change = FileChange.RENAMED
    index = _INDEX.match("index " + told["index"]) if "index" in told else None
    mode = (index[3] or "") if index else ""
    return FileDiff(
        old,
        new,
        change,
        old_blob=index[1] if index else "",
        new_blob=index[2] if index else "",
        old_mode=told.get("old mode", told.get("deleted file mode", "" if old is None else mode)).strip(),
        new_mode=told.get("new mode", told.get("new file mode", "" if new is None else mode)).strip(),
        binary=binary,
    )


def _after_binary(lines: Sequence[str], at: int) -> int:
    """Past ``Binary files a and b differ``, or past the base85 lines of a binary patch, which are never unpacked."""
    if lines[at].startswith("Binary files "):
        return at + 1
    while at < len(lines) and not hunks.ends_diff(lines, at):
        at += 1
    return at


def _shown(text: str) -> str:
    """A name from a mail, made safe to print: control bytes visible, length bounded."""
    return "".join(ch if ch.isprintable() else repr(ch)[1:-1] for ch in text[:200]) or "(no name)"


def _few(problems: list[str]) -> tuple[str, ...]:
    if len(problems) <= _MOST_PROBLEMS:
        return tuple(problems)
    return (*problems[:_MOST_PROBLEMS], f"and {len(problems) - _MOST_PROBLEMS} problems more")
