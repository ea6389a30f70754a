"""Finds the files that mention sets of words or define functions, in one pass over the files of a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bot.model import Wanted

MAX_FILE_BYTES = 2 << 20  # the largest hand-written source of the kernel is smaller
MAX_MENTIONS = 40
MAX_DEFINITIONS = 3
_MAX_SIGNATURE = 2000
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


@dataclass(slots=True)
class _Question:
    """Something to be found in files, and how often it was found."""

    words: tuple[bytes, ...]
    defined: bool
    limit: int
    found: int = 0
    more: bool = False

    def may_be_in(self, words: bytes) -> bool:
        """Whether a file with these words can be an answer; and that of a mention it is."""
        return not self.more and all(b"\n%b\n" % word in words for word in self.words)

    def take(self) -> bool:
        """Count an answer; False when there were enough."""
        self.more = self.found == self.limit
        self.found += not self.more
        return not self.more


class Search:
    """All questions of a Wanted, asked of one file after the other, the nearest file first."""

    def __init__(self, wanted: Wanted) -> None:
        sets = [words for words in wanted.mentions if words and all(_NAME.match(word) for word in words)]
        names = [name for name in wanted.definitions if _NAME.match(name)]
        self._questions = [
            # The longest word is the rarest most of the time: most files are done with after it.
            *(
                _Question(tuple(w.encode() for w in sorted(ws, key=len, reverse=True)), False, MAX_MENTIONS)
                for ws in sets
            ),
            *(_Question((name.encode(),), True, MAX_DEFINITIONS) for name in names),
        ]

    def __bool__(self) -> bool:
        """Whether anything is still to be found."""
        return any(not question.more for question in self._questions)

    def among(
        self, files: Iterable[tuple[str, bytes]], read: Callable[[str], bytes | None]
    ) -> Iterator[tuple[str, bytes]]:
        """The files that answer a question, out of (path, words as Words has them); only candidates are read."""
        for path, words in files:
            candidates = [question for question in self._questions if question.may_be_in(words)]
            if not candidates:
                continue
            data = read(path)
            if data is None:
                continue
            answered = [q.take() for q in candidates if not q.defined or defines(data, q.words[0])]
            if any(answered):
                yield path, data
            if not self:
                return

    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return tuple(
            f"more than {question.limit} files mention {b' and '.join(question.words).decode()}: the nearest were read"
            for question in self._questions
            if question.more and not question.defined
        )


def defines(data: bytes, name: bytes) -> bool:
    """Whether C text defines the function: its name in a line that begins at the margin, and a body behind it."""
    at = data.find(name)
    while at >= 0:
        end = at + len(name)
        line = data[data.rfind(b"\n", 0, at) + 1 : at]
        rest = data[end : end + _MAX_SIGNATURE]
        if not _is_word(data[at - 1 : at]) and rest.lstrip()[:1] == b"(" and _may_begin_definition(line):
            body, stop = rest.find(b"{"), rest.find(b";")
            if body >= 0 and (stop < 0 or body < stop):
                return True
        at = data.find(name, end)
    return False


def _may_begin_definition(line: bytes) -> bool:
    """Whether what is left of a name can be a return type."""
    return line[:1] not in {b" ", b"\t", b"#", b"/", b"*"} and not any(
        mark in line for mark in (b"=", b"(", b"{", b'"')
    )


def _is_word(char: bytes) -> bool:
    return char.isalnum() or char == b"_"
