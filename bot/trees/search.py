"""Finds the files that mention sets of words or define functions, the nearest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bot.model import Wanted
from bot.trees.index import Index
from bot.trees.words import definition

MAX_FILE_BYTES = 2 << 20  # the largest hand-written source of the kernel is smaller
MAX_MENTIONS = 40
MAX_DEFINITIONS = 3
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)

Holding = Callable[[bytes], frozenset[int]]
"""The numbers of the files that a word finds."""


@dataclass(slots=True)
class _Question:
    """Something to be found in files, and how often it was found."""

    words: tuple[bytes, ...]
    defined: bool
    limit: int
    found: int = 0
    more: bool = False

    def files(self, holding: Holding) -> frozenset[int]:
        return frozenset.intersection(*map(holding, self.words))

    def take(self) -> bool:
        """Count an answer; False when there were enough."""
        self.more = self.found == self.limit
        self.found += not self.more
        return not self.more


class Search:
    """All questions of a Wanted."""

    def __init__(self, wanted: Wanted) -> None:
        sets = [words for words in wanted.mentions if words and all(_NAME.match(word) for word in words)]
        names = [name for name in wanted.definitions if _NAME.match(name)]
        self._questions = [
            *(_Question(tuple(word.encode() for word in words), False, MAX_MENTIONS) for words in sets),
            *(_Question((definition(name.encode()),), True, MAX_DEFINITIONS) for name in names),
        ]

    def __bool__(self) -> bool:
        """Whether anything is still to be found."""
        return any(not question.more for question in self._questions)

    def found(self, index: Index, near: Callable[[], Iterable[tuple[str, int]]]) -> list[str]:
        """The paths of the files that answer a question.

        ``near`` gives (path, number in the index), the nearest first.  It is asked again when the index broke and began
        anew in the meantime: what was found until then may be half of it.
        """
        begun = index.begun
        found = list(self._among(near(), index.holding))
        if index.begun == begun:
            return found
        for question in self._questions:
            question.found, question.more = 0, False
        return list(self._among(near(), index.holding))

    def _among(self, files: Iterable[tuple[str, int]], holding: Holding) -> Iterator[str]:
        answers = [(question, question.files(holding)) for question in self._questions]
        any_answer = frozenset[int]().union(*(numbers for _, numbers in answers))
        for path, number in files:
            if number not in any_answer:
                continue
            taken = [question.take() for question, numbers in answers if not question.more and number in numbers]
            if any(taken):
                yield path
            if not self:
                return

    def notes(self) -> tuple[str, ...]:
        """What was left out."""
        return tuple(
            f"more than {question.limit} files mention {b' and '.join(question.words).decode()}: the nearest were read"
            for question in self._questions
            if question.more and not question.defined
        )
