"""A file in pieces: what is worked out of a piece serves every file, and every state of a file, that has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Protocol

from bot.code import vocabulary as words
from bot.code.declarations import Declarations, declarations_in, merged, variables_in
from bot.code.flow import Flow, StepKind
from bot.code.lowering import flow_of
from bot.code.masking import MaskedText
from bot.code.prepass import pieces, prepared
from bot.code.remembered import Remembered
from bot.code.sections import Held, Lock, held_at, locks_in
from bot.code.spelling import split_arguments, tight
from bot.code.syntax import Node, Source, aliases_in, encoded, functions
from bot.code.vocabulary import LockCall

_IDENTIFIER = re.compile(r"\w+$")
_WORD = re.compile(r"\w+")
_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+\*/|//[^\n]*+")
_COMMENT_ABOVE = re.compile(rb"/\*(?:[^*]|\*(?!/))*+\*/\s*+\Z")
_ABOVE = 3000  # bytes
_NULLS = frozenset({"NULL", "0", "(void*)0"})

Aliases = tuple[tuple[str, str], ...]
_KNOWN: Remembered[Piece] = Remembered(8 << 20)  # bytes of their text; all that is worked out takes a multiple


def may_tell(text: str) -> bool:
    """Whether a text holds any word of RCU or of lists; without one, no rule has a question."""
    return words.SECTION_WORDS.search(text.encode("utf-8", "replace")) is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a function is defined in its piece, in bytes and rows, and whether the parser understood all of it."""

    name: str
    start: int
    stop: int
    row: int
    clean: bool


class Definition:
    """The definition of a function, wherever it stands; all about it is worked out when first asked for, and once."""

    def __init__(self, piece: Piece, place: Place) -> None:
        self.piece, self.place, self.name = piece, place, place.name
        self.text = piece.original[place.start : place.stop].decode("utf-8", "replace")

    @cached_property
    def signature(self) -> str:
        return tight(self.text.split("{", 1)[0])

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        inner = self.signature[self.signature.find("(") + 1 : self.signature.rfind(")")]
        names = (_IDENTIFIER.search(re.sub(r"\[[^\]]*\]$", "", part.strip())) for part in split_arguments(inner))
        return tuple(match[0] if match else "" for match in names)

    @property
    def clean(self) -> bool:
        """Whether the parser understood all of it."""
        return self.place.clean

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word outside of comments: who is named in a remark is not called."""
        return frozenset(_WORD.findall(_COMMENT.sub(" ", self.text)))

    @cached_property
    def telling(self) -> bool:
        """Whether it holds a word of RCU or of lists, under its own or another name."""
        return may_tell(self.text) or any(may_tell(target) for name, target in self.piece.aliases if name in self.words)

    @cached_property
    def flow(self) -> Flow:
        return self.piece.flow(self.place)

    @cached_property
    def held(self) -> tuple[Held, ...]:
        return held_at(self.flow)

    @cached_property
    def locks(self) -> tuple[tuple[int, Lock, LockCall], ...]:
        """The steps that take or drop something, with what they do."""
        return locks_in(self.flow)

    @cached_property
    def sections(self) -> int:
        """How many times the function enters a read-side section by a call of its own."""
        return sum(call.takes and lock.kind in words.READ_SIDE for _, lock, call in self.locks)

    @cached_property
    def variables(self) -> Mapping[str, str]:
        return variables_in(self.text)

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Variables that stand for one expression all through: assigned once."""
        values: dict[str, set[str]] = {}
        for step in self.flow.steps:
            if step.kind is StepKind.ASSIGN and _WORD.fullmatch(step.name) and step.value not in _NULLS:
                values.setdefault(step.name, set()).add(step.value)
        return {name: next(iter(found)) for name, found in values.items() if len(found) == 1}

    def same_as(self, other: Definition) -> bool:
        """Whether it reads the same, also where it stands in another piece."""
        return self.text == other.text and self.prepared == other.prepared

    @cached_property
    def prepared(self) -> str:
        """A digest of what the parser was given to read."""
        return self.piece.prepared(self.place)

    @property
    def comment_above(self) -> str:
        found = _COMMENT_ABOVE.search(self.piece.original[max(0, self.place.start - _ABOVE) : self.place.start])
        return found[0].decode("utf-8", "replace") if found else ""


class Piece(Protocol):
    """A stretch of a file that reads as C by itself."""

    original: bytes
    digest: str  # of the text as the settling of the whole file left it
    aliases: Aliases  # macros of the file that only stand for another name, of those that the piece mentions

    @property
    def definitions(self) -> tuple[Definition, ...]: ...
    @property
    def declarations(self) -> Declarations: ...
    def flow(self, place: Place) -> Flow: ...
    def prepared(self, place: Place) -> str: ...


class Parsed:
    """A piece that was read here and now."""

    def __init__(self, masked: MaskedText, digest: str, aliases: Aliases) -> None:
        self.original, self.digest, self.aliases = masked.original, digest, aliases
        self._prepared = prepared(masked)

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        source = self._source
        named = ((node, name_of(source, node)) for node in functions(source))
        return tuple(Definition(self, _place(node, name)) for node, name in named if name)

    @cached_property
    def declarations(self) -> Declarations:
        return declarations_in(self.original.decode("utf-8", "replace"))

    def flow(self, place: Place) -> Flow:
        source = self._source
        return flow_of(source, next(node for node in functions(source) if node.start_byte == place.start))

    def prepared(self, place: Place) -> str:
        return digest(self._prepared[place.start : place.stop])

    @property
    def _source(self) -> Source:
        return _source(self.original, self._prepared, self.aliases)


@dataclass(frozen=True)
class Pieces:
    """The pieces of a file, and the row of the file at which each begins."""

    pieces: tuple[Piece, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Pieces:
        found = tuple(pieces)
        lines = accumulate((piece.original.count(b"\n") for piece in found), initial=0)
        return cls(found, tuple(lines)[:-1])

    @cached_property
    def declarations(self) -> Declarations:
        """What they declare together."""
        return merged(piece.declarations for piece in self.pieces)

    @property
    def functions(self) -> int:
        """How many functions they define."""
        return sum(len(piece.definitions) for piece in self.pieces)


def cut(text: str) -> Pieces:
    """The pieces of a text, in order."""
    original = encoded(text)
    aliases = aliases_in(original)
    return Pieces.of(_known(masked, _mentioned(aliases, masked.original)) for masked in pieces(original))


def _mentioned(aliases: Mapping[str, str], original: bytes) -> Aliases:
    return tuple((name, target) for name, target in aliases.items() if name.encode() in original)


def digest(data: bytes | bytearray) -> str:
    return blake2b(data, digest_size=8).hexdigest()


def _known(masked: MaskedText, aliases: Aliases) -> Piece:
    spelled = digest(masked.work)
    key = (masked.original, spelled, aliases)
    return _KNOWN.of(key, len(masked.original), lambda: Parsed(masked, spelled, aliases))


def remember(piece: Piece) -> Piece:
    """A piece that was read at another time, or the same one when it is known already."""
    return _KNOWN.of((piece.original, piece.digest, piece.aliases), len(piece.original), lambda: piece)


@lru_cache(maxsize=256)  # a tree of syntax takes a hundred times its text
def _source(original: bytes, prepared: bytes, aliases: Aliases) -> Source:
    return Source.of(original, prepared, dict(aliases))


def _place(node: Node, name: str) -> Place:
    return Place(name, node.start_byte, node.end_byte, node.start_point.row, not node.has_error)


def name_of(source: Source, function: Node) -> str:
    """The name in a function definition's declarator, "" when the parser lost it."""
    node = function.child_by_field_name("declarator")
    while node is not None and node.type != "function_declarator":
        node = node.child_by_field_name("declarator")
    inner = node.child_by_field_name("declarator") if node is not None else None
    return source.text(inner) if inner is not None and inner.type == "identifier" else ""
