"""What a file can be found by: its words, and the functions that it defines."""

from __future__ import annotations

import re

MAX_SIGNATURE = 2000
_NOT_WORD = bytes(code if code > 127 or chr(code).isalnum() or code == ord("_") else ord(" ") for code in range(256))
_DIGITS = frozenset(b"0123456789")
# The first parenthesis of a line that begins at the margin, or of the next line, and the name before it.
_HEADER = re.compile(
    rb"^(?![ \t#/*])[^\n=({\"]*?(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_]*+)[ \t\r\f\v]*+(?:\n\s*+)?+\(", re.MULTILINE
)


def definition(name: bytes) -> bytes:
    """What a file that defines a function is found by."""
    return name + b"("


def words_of(data: bytes) -> frozenset[bytes]:
    """All names that stand in a C text, and ``name(`` for each function that it defines."""
    words = {word for word in data.translate(_NOT_WORD).split() if word[0] not in _DIGITS}
    return frozenset(words | {definition(name) for name in _defined(data)})


def _defined(data: bytes) -> set[bytes]:
    found: set[bytes] = set()
    for header in _HEADER.finditer(data):
        body = data.find(b"{", header.end(), header.end() + MAX_SIGNATURE)
        if body >= 0 and data.find(b";", header.end(), body) < 0:
            found.add(header[1])
    return found
