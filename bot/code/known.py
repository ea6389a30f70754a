"""Objects of the kernel whose protection is known beforehand, and whether a tree still proves it.

Rules do not ask these yet.  Where a tree shows an object's protection, the tree is right; these are for reviews
without one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.code.facts import functions_of
from bot.code.spelling import flat, tight
from bot.model import Image, Role


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
class Proved:
    """A proof looked for in a tree: the line where it stands, or why there is none."""

    object: str
    proof: Proof
    line: int = 0
    gone: str = ""


def read(text: str) -> tuple[KnownObject, ...]:
    """The objects of a table in TOML.  Raises KnownObjectsError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise KnownObjectsError(f"the table of known objects is no TOML: {fault}") from None
    return tuple(_object(number, entry) for number, entry in enumerate(table.get("object", ()), start=1))


def _object(number: int, entry: Mapping[str, Any]) -> KnownObject:
    try:
        proofs = tuple(
            Proof(Role(proof["role"]), proof["file"], proof.get("function", ""), proof["code"])
            for proof in entry["proofs"]
        )
        said = (entry["name"], entry.get("node", ""), entry["readers"], entry["updaters"], entry.get("note", ""))
    except KeyError as fault:
        raise KnownObjectsError(f"object {number} has no {fault}; add it") from None
    except ValueError as fault:
        raise KnownObjectsError(f"object {number}: {fault}; a role is one of {', '.join(Role)}") from None
    if not proofs:
        raise KnownObjectsError(f"object {number}, {said[0]}, has no proof; name a file and code")
    return KnownObject(*said, proofs)


def verify(objects: Iterable[KnownObject], texts: Mapping[str, str | None]) -> Iterator[Proved]:
    """Look for every proof in these files of a tree (None: there is no such file)."""
    images = {path: Image(path, text) for path, text in texts.items() if text is not None}
    for known in objects:
        for proof in known.proofs:
            image = images.get(proof.path)
            if image is None:
                yield Proved(known.name, proof, gone="there is no such file")
            else:
                yield _looked(known.name, proof, image)


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
