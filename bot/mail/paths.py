"""The file names of a diff: git's quoting undone, its prefixes removed, and names that leave the tree refused."""

from __future__ import annotations

import re

_ESCAPED = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
# What git writes before a path: plain, and with diff.mnemonicPrefix for index, work tree, commit and object.
_PREFIXES = frozenset({("a", "b"), ("i", "w"), ("c", "i"), ("c", "w"), ("o", "w"), ("1", "2")})
_REVERSED = frozenset((new, old) for old, new in _PREFIXES)


def unquote(name: str) -> str:
    r"""A name as git prints it with core.quotePath, ``"a/caf\303\251.c"``, as the name that it is."""
    if len(name) < 2 or name[0] != '"' or name[-1] != '"':
        return name
    raw = name[1:-1].encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(_byte, raw).decode("utf-8", "surrogateescape")


def _byte(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if len(code) == 3:
        return bytes([int(code, 8) & 0xFF])
    return _LETTERS.get(code, code)


def header_name(rest: str) -> str | None:
    """The name in what follows ``--- `` or ``+++ ``; None for /dev/null.  A tab ends it: a date may follow."""
    rest = rest.rstrip("\r")
    name = unquote(rest[: rest.rfind('"') + 1]) if rest.startswith('"') else rest.partition("\t")[0].rstrip(" ")
    return None if name == "/dev/null" else name


def git_pair(rest: str) -> tuple[str, str] | None:
    """Both names in what follows ``diff --git ``, None when they cannot be told apart.

    Only used where nothing better is said (a pure mode change, an empty file): both names are then the same but for
    their prefix, which is how a name with blanks in it can be found at all.
    """
    rest = rest.rstrip("\r")
    if rest.startswith('"'):
        end = _quote_end(rest)
        return (unquote(rest[:end]), unquote(rest[end + 1 :])) if 0 < end < len(rest) - 1 else None
    if rest.endswith('"') and ' "' in rest:
        old, _, new = rest.partition(' "')
        return old, unquote('"' + new)
    middle = len(rest) // 2
    if len(rest) % 2 and rest[middle] == " ":
        old, new = rest[:middle], rest[middle + 1 :]
        if old == new or old.partition("/")[2] == new.partition("/")[2]:
            return old, new
    old, _, new = rest.partition(" ")
    return (old, new) if new and " " not in new else None


def _quote_end(text: str) -> int:
    """Index after the closing quote of the quoted name that ``text`` begins with, 0 when it is not closed."""
    at = 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            return at + 1
        at += 1
    return 0


def strip_pair(old: str | None, new: str | None) -> tuple[str | None, str | None]:
    """Both names without what stands for the tree: ``a/`` and ``b/``, or the two directories of a plain ``diff -r``."""
    if old is None or new is None:
        return _strip_one(old), _strip_one(new)
    old_head, _, old_tail = old.partition("/")
    new_head, _, new_tail = new.partition("/")
    if (old_head, new_head) in _PREFIXES | _REVERSED:
        return old_tail, new_tail
    if old_tail and old_tail == new_tail and old_head != new_head:
        return old_tail, new_tail
    return old, new


def _strip_one(name: str | None) -> str | None:
    if name is None:
        return None
    head, slash, tail = name.partition("/")
    return tail if slash and any(head in pair for pair in _PREFIXES) else name


def leaves_tree(name: str) -> bool:
    """Is this a name that no file of a source tree can have: empty, absolute, climbing out, or with control bytes?"""
    parts = name.split("/")
    return not name or name.startswith("/") or ".." in parts or parts[0] == ".git" or any(ch < " " for ch in name)
