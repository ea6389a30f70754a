"""The version of all that decides what an index holds."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.metadata import version as installed
from pathlib import Path

import bot.code
import bot.model
import bot.trees

_LIBRARIES = ("tree-sitter", "tree-sitter-c")


@cache
def version() -> str:
    """A digest of the code that analyses and of the parser's versions: another one means another index."""
    digest = blake2b(digest_size=8)
    for library in _LIBRARIES:
        digest.update(f"{library} {installed(library)}\n".encode())
    for package in (bot.code, bot.model, bot.trees):
        for file in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
