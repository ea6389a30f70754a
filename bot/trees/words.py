"""Remembers which words each file of a tree has, so that only the files with the wanted ones are read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

_BUDGET_BYTES = 128 << 20
_NOT_WORD = bytes(code if code > 127 or chr(code).isalnum() or code == ord("_") else ord(" ") for code in range(256))


class Words:
    """The words of files, under keys that change when the file does; the files that were not asked of for longest go.

    A file's words are one string, each between line ends: a search in it is one scan in C, and it takes a third of the
    room that the file takes.
    """

    def __init__(self, budget: int = _BUDGET_BYTES) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._left = budget

    def of(self, key: Hashable) -> bytes | None:
        """The words kept under a key, None when the file must be read first."""
        words = self._kept.get(key)
        if words is not None:
            self._kept.move_to_end(key)
        return words

    def learn(self, key: Hashable, data: bytes) -> bytes:
        """Keep the words of a file."""
        words = b"\n" + b"\n".join(set(data.translate(_NOT_WORD).split())) + b"\n"
        self._left += len(self._kept.pop(key, b"")) - len(words)
        self._kept[key] = words
        while self._left < 0:
            _, gone = self._kept.popitem(last=False)
            self._left += len(gone)
        return words
