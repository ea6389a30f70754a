"""Which blobs each word finds, in a form that tells when it is broken.

Blobs come in batches.  The words of a batch lie in shelves, each a row with a proof over all it holds: a lost or
altered row is noticed, where a table with a row for each word would just no longer find it.
"""

from __future__ import annotations

import secrets
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

SCHEMA = """
CREATE TABLE IF NOT EXISTS batch (
    batch INTEGER PRIMARY KEY, shelves INTEGER NOT NULL, proof BLOB NOT NULL, names BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS shelf (
    batch INTEGER, shelf INTEGER, proof BLOB NOT NULL, words BLOB NOT NULL, PRIMARY KEY (batch, shelf)) WITHOUT ROWID;
"""
_WORDS_ON_A_SHELF = 128
_MOST_BATCHES = 64
_PLACES = 20  # bits of a number that tell a blob's place in its batch

Held: TypeAlias = defaultdict[bytes, list[bytes]]
"""The places of the blobs that each word finds, in digits."""


def proof(name: str, data: bytes) -> bytes:
    """A digest of what is kept under a name."""
    return blake2b(data, digest_size=16, key=name.encode("utf-8", "surrogateescape")[:64]).digest()


@dataclass(frozen=True, slots=True)
class _Batch:
    number: int
    shelves: int
    names: list[str]


def numbers(database: sqlite3.Connection) -> Mapping[str, int]:
    """The blobs that were learnt, and their numbers.  Raises ValueError when the table is broken."""
    return {
        name: batch.number << _PLACES | place for batch in _batches(database) for place, name in enumerate(batch.names)
    }


def holding(database: sqlite3.Connection, word: bytes) -> frozenset[int]:
    """The numbers of the blobs that a word finds.  Raises ValueError when the table is broken."""
    found: set[int] = set()
    for batch, shelves in database.execute("SELECT batch, shelves FROM batch"):
        words = _shelf(database, batch, zlib.crc32(word) % shelves)
        start = words.find(b"\n%b " % word)
        if start >= 0:
            places = words[start + len(word) + 2 : words.index(b"\n", start + 1)]
            found.update(batch << _PLACES | int(place) for place in places.split(b","))
    return frozenset(found)


def learn(database: sqlite3.Connection, words: Mapping[str, Iterable[bytes]]) -> None:
    """Add a batch.  Raises ValueError when the table is broken."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        known = numbers(database)
        names = [name for name in words if name not in known]
        held: Held = defaultdict(list)
        for place, name in enumerate(names):
            digits = b"%d" % place
            for word in words[name]:
                held[word].append(digits)
        batches = list(_batches(database))
        if len(batches) >= _MOST_BATCHES:
            names = _unite(database, batches, names, held)
        if names:
            _write(database, names, held)


def _unite(database: sqlite3.Connection, batches: Sequence[_Batch], names: list[str], held: Held) -> list[str]:
    """Take all batches out and into a new one; its names."""
    for batch in batches:
        first, names = len(names), names + batch.names
        for shelf in range(batch.shelves):
            for line in _shelf(database, batch.number, shelf).split(b"\n")[1:-1]:
                word, _, places = line.partition(b" ")
                held[word].extend(b"%d" % (first + int(place)) for place in places.split(b","))
    database.execute("DELETE FROM shelf")
    database.execute("DELETE FROM batch")
    return names


def _write(database: sqlite3.Connection, names: Sequence[str], held: Held) -> None:
    batch = secrets.randbits(62 - _PLACES)  # one that was lost leaves no number to be mistaken for another's
    shelves: list[list[bytes]] = [[] for _ in range(len(held) // _WORDS_ON_A_SHELF + 1)]
    for word, places in held.items():
        line = b"%b %b\n" % (word, b",".join(places))
        shelves[zlib.crc32(word) % len(shelves)].append(line)
    packed = ((shelf, b"\n" + b"".join(lines)) for shelf, lines in enumerate(shelves))
    rows = ((batch, shelf, proof(f"{batch} {shelf}", words), words) for shelf, words in packed)
    database.executemany("INSERT INTO shelf VALUES (?, ?, ?, ?)", rows)
    listed = "\n".join(names).encode()
    row = (batch, len(shelves), proof(f"{batch} of {len(shelves)}", listed), listed)
    database.execute("INSERT INTO batch VALUES (?, ?, ?, ?)", row)


def _batches(database: sqlite3.Connection) -> Iterator[_Batch]:
    for batch, shelves, known, names in database.execute("SELECT batch, shelves, proof, names FROM batch"):
        if known != proof(f"{batch} of {shelves}", names):
            raise ValueError("a list of blobs is broken")
        yield _Batch(batch, shelves, names.decode().split("\n"))


def _shelf(database: sqlite3.Connection, batch: int, shelf: int) -> bytes:
    query = "SELECT proof, words FROM shelf WHERE batch = ? AND shelf = ?"
    known, words = database.execute(query, (batch, shelf)).fetchone() or (b"", b"")
    if known != proof(f"{batch} {shelf}", words):
        raise ValueError("a shelf of words is broken or gone")
    return bytes(words)
