"""The outline of a file: what was worked out of its text, as bytes that can be kept and read back at another time.

It is JSON, so that reading one can at worst fail.  Flows take most of the room; each is compressed by itself, behind
the rest, and read when it is asked for.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

from bot.code.declarations import Declarations, Field
from bot.code.flow import Flow, Step, StepKind
from bot.code.pieces import Aliases, Definition, Piece, Pieces, Place, cut, digest, remember
from bot.code.remembered import Remembered
from bot.code.syntax import encoded
from bot.model import Image

_KINDS = tuple(StepKind)
_FILES: Remembered[Pieces] = Remembered(24 << 20)  # characters
_SIZE = 8  # bytes that tell the length of the head
_MOST = 64 << 20  # bytes of one flow


def pieces_of(image: Image) -> Pieces:
    """The pieces of an image: read back from its outline, or else parsed."""
    return _FILES.of(image.text, len(image.text), lambda: _read_back(image) or cut(image.text))


def _read_back(image: Image) -> Pieces | None:
    if not image.outline:
        return None
    try:
        return unpacked(image.outline, encoded(image.text))
    except (ValueError, LookupError, TypeError):  # of another file, or broken: the text has it all
        return None


def outline_of(text: str) -> bytes:
    """The outline of a text."""
    return packed(pieces_of(Image("", text)))


def packed(file: Pieces) -> bytes:
    flows: list[bytes] = []

    def kept(definition: Definition) -> list[Any]:
        flows.append(zlib.compress(_json(_flow_out(definition.flow)), 1))
        return [*astuple(definition.place), definition.prepared, len(flows[-1])]

    pieces = [
        [
            len(piece.original),
            piece.digest,
            piece.aliases,
            [kept(definition) for definition in piece.definitions],
            _declarations_out(piece.declarations),
        ]
        for piece in file.pieces
    ]
    head = _json([digest(b"".join(piece.original for piece in file.pieces)), pieces])
    return b"".join((len(head).to_bytes(_SIZE, "big"), head, *flows))


def unpacked(data: bytes, original: bytes) -> Pieces:
    """The pieces of a text.  Raises ValueError, LookupError or TypeError when the outline is not of this text."""
    start = _SIZE + int.from_bytes(data[:_SIZE], "big")
    pieces: list[Piece] = []
    place = 0
    spelled, stored = json.loads(data[_SIZE:start])
    if spelled != digest(original):
        raise ValueError("the outline of another text")
    for length, work, aliases, definitions, declarations in stored:
        flows: dict[int, tuple[int, int]] = {}
        for entry in definitions:
            flows[entry[1]] = (start, start + entry[6])
            start += entry[6]
        text = original[place : place + length]
        place += length
        known = tuple((name, target) for name, target in aliases)
        pieces.append(remember(_Stored(text, work, known, definitions, declarations, _Flows(data, flows))))
    return Pieces.of(pieces)


@dataclass(frozen=True, slots=True)
class _Flows:
    """The flows of a piece's functions, where they stand in the outline, by the start of the function."""

    data: bytes
    places: Mapping[int, tuple[int, int]]

    def at(self, start: int) -> Flow:
        first, last = self.places[start]
        return _flow_in(json.loads(zlib.decompressobj().decompress(self.data[first:last], _MOST)))


class _Stored:
    """A piece that was read at another time."""

    def __init__(
        self,
        original: bytes,
        work: str,
        aliases: Aliases,
        definitions: Sequence[Sequence[Any]],
        declarations: Sequence[Any],
        flows: _Flows,
    ) -> None:
        self.original, self.digest, self.aliases = original, work, aliases
        self._definitions, self._declarations, self._flows = definitions, declarations, flows

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(Definition(self, Place(*entry[:5])) for entry in self._definitions)

    @cached_property
    def declarations(self) -> Declarations:
        return _declarations_in(self._declarations)

    def flow(self, place: Place) -> Flow:
        return self._flows.at(place.start)

    def prepared(self, place: Place) -> str:
        return next(str(entry[5]) for entry in self._definitions if entry[1] == place.start)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _flow_out(flow: Flow) -> list[Any]:
    """Each text once, since the steps of a statement share most of theirs; steps refer to them by number."""
    numbers: dict[str, int] = {}

    def number(text: str) -> int:
        return numbers.setdefault(text, len(numbers))

    steps = [
        [
            step.kind.value,
            step.line,
            number(step.name),
            [number(text) for text in step.args],
            number(step.target),
            number(step.value),
            int(step.truth),
            sorted(number(text) for text in step.uses),
            number(step.code),
        ]
        for step in flow.steps
    ]
    return [list(numbers), steps, flow.next]


def _flow_in(stored: Sequence[Any]) -> Flow:
    texts, steps, following = stored
    return Flow(
        tuple(
            Step(
                _KINDS[kind - 1],
                line,
                texts[name],
                tuple([texts[arg] for arg in args]),
                texts[target],
                texts[value],
                bool(truth),
                frozenset([texts[use] for use in uses]) if uses else _NONE,
                texts[code],
            )
            for kind, line, name, args, target, value, truth, uses, code in steps
        ),
        tuple(map(tuple, following)),
    )


_NONE: frozenset[str] = frozenset()


def _declarations_out(found: Declarations) -> list[Any]:
    structs = {
        name: {member: [field.struct, int(field.rcu)] for member, field in fields.items()}
        for name, fields in found.structs.items()
    }
    return [structs, dict(found.variables), dict(found.returns)]


def _declarations_in(stored: Sequence[Any]) -> Declarations:
    structs, variables, returns = stored
    return Declarations(
        {
            name: {member: Field(struct, bool(rcu)) for member, (struct, rcu) in fields.items()}
            for name, fields in structs.items()
        },
        variables,
        returns,
    )
