"""What is known of the kernel beforehand: shared objects, what functions need; and whether a tree proves it.

Where a tree shows what protects an object or what a function needs, the tree is right: this is for what it hides.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.code.facts import functions_of
from bot.code.spelling import flat, tight
from bot.model import Contract, Image, Known, Role


class KnownObjectsError(Exception):
    """The table of known objects cannot be used; the message names the entry and the cure."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A piece of code that stands in a function of a file; ``function`` "": anywhere in the file."""

    role: Role
    path: str
    function: str
    code: str


@dataclass(frozen=True, slots=True)
class KnownObject:
    """What is shared (``struct.field``), what hangs on it, what readers and updaters hold, and the proofs."""

    name: str
    node: str
    readers: str
    updaters: str
    note: str
    proofs: tuple[Proof, ...]


@dataclass(frozen=True, slots=True)
class KnownFunction:
    """A function that needs its callers to hold something (``needs``, ``reads``), or an entry (``holds``)."""

    name: str
    needs: tuple[str, ...]
    reads: str
    holds: tuple[str, ...]
    proofs: tuple[Proof, ...]


MadeT = TypeVar("MadeT", KnownObject, KnownFunction)


@dataclass(frozen=True, slots=True)
class Table:
    """All that the table holds."""

    objects: tuple[KnownObject, ...]
    functions: tuple[KnownFunction, ...]

    @property
    def known(self) -> Known:
        """What a review is told."""
        contracts = {one.name: Contract(one.needs, one.reads) for one in self.functions if one.needs}
        return Known(contracts, {one.name: one.holds for one in self.functions if not one.needs})

    def entries(self) -> Iterator[tuple[str, tuple[Proof, ...]]]:
        """Every name with its proofs."""
        yield from ((one.name, one.proofs) for one in self.objects)
        yield from ((one.name, one.proofs) for one in self.functions)


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof looked for in a tree: the line where it stands, or why there is none."""

    object: str
    proof: Proof
    line: int = 0
    gone: str = ""


def read(text: str) -> Table:
    """The table of what is known, in TOML.  Raises KnownObjectsError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise KnownObjectsError(f"the table of known objects is no TOML: {fault}") from None
    functions = (*_all(table, "contract", _contract), *_all(table, "entry", _entry))
    return Table(tuple(_all(table, "object", _object)), functions)


def _all(table: Mapping[str, Any], kind: str, make: Callable[[Mapping[str, Any]], MadeT]) -> Iterator[MadeT]:
    for number, entry in enumerate(table.get(kind, ()), start=1):
        yield _made(kind, number, entry, make)


def _made(kind: str, number: int, entry: Mapping[str, Any], make: Callable[[Mapping[str, Any]], MadeT]) -> MadeT:
    try:
        known = make(entry)
    except KeyError as fault:
        raise KnownObjectsError(f"{kind} {number} has no {fault}; add it") from None
    except ValueError as fault:
        raise KnownObjectsError(f"{kind} {number}: {fault}; a role is one of {', '.join(Role)}") from None
    if not known.proofs:
        raise KnownObjectsError(f"{kind} {number}, {known.name}, has no proof; name a file and code")
    return known


def _proofs(entry: Mapping[str, Any]) -> tuple[Proof, ...]:
    return tuple(
        Proof(Role(proof["role"]), proof["file"], proof.get("function", ""), proof["code"]) for proof in entry["proofs"]
    )


def _object(entry: Mapping[str, Any]) -> KnownObject:
    said = (entry["name"], entry.get("node", ""), entry["readers"], entry["updaters"], entry.get("note", ""))
    return KnownObject(*said, _proofs(entry))


def _contract(entry: Mapping[str, Any]) -> KnownFunction:
    return KnownFunction(entry["function"], tuple(entry["needs"]), entry["reads"], (), _proofs(entry))


def _entry(entry: Mapping[str, Any]) -> KnownFunction:
    return KnownFunction(entry["function"], (), "", tuple(entry["holds"]), _proofs(entry))


def verify(table: Table, texts: Mapping[str, str | None]) -> Iterator[Proved]:
    """Look for every proof in these files of a tree (None: there is no such file)."""
    images = {path: Image(path, text) for path, text in texts.items() if text is not None}
    for name, proofs in table.entries():
        for proof in proofs:
            image = images.get(proof.path)
            if image is None:
                yield Proved(name, proof, gone="there is no such file")
            else:
                yield _looked(name, proof, image)


def _looked(name: str, proof: Proof, image: Image) -> Proved:
    if not proof.function:
        line = _line(image.text, proof.code)
        return Proved(name, proof, line, "" if line else "the code is not in the file")
    places = [function for function in functions_of(image) if function.name == proof.function]
    if not places:
        return Proved(name, proof, gone=f"there is no {proof.function}() in the file")
    for function in places:
        line = _line(function.text, proof.code)
        if line:
            return Proved(name, proof, function.file_line(line))
    return Proved(name, proof, gone=f"the code is not in {proof.function}()")


def _line(text: str, code: str) -> int:
    """The first line from which on the code stands in a text, whatever the white space; 0 when it does not."""
    wanted = tight(code)
    if wanted not in tight(text):
        return 0
    lines = text.splitlines()
    first, last = 1, len(lines)
    # The code stands behind the last line from which on it can still be found.
    while first < last:
        middle = (first + last + 1) // 2
        if wanted in tight(flat("\n".join(lines[middle - 1 :]))):
            first = middle
        else:
            last = middle - 1
    return first
