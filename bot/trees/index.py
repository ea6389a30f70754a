"""An index of trees on the disk: by blob, which words find a file and what is known of its code.

It is a cache: all of it can be made anew from the trees, so whatever is wrong with it is thrown away and counted.
Nothing in it is code.  One file for each version of the code that made it: what another version wrote is not read.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha1
from itertools import islice
from pathlib import Path
from typing import TypeVar

from bot.trees import postings
from bot.trees.postings import proof
from bot.trees.version import version
from bot.trees.words import words_of

ResultT = TypeVar("ResultT")
LIMIT_BYTES = 1 << 30
LEARNT_AT_ONCE = 3_000  # files: what they say is in memory meanwhile
_DAY = 86_400
_WAIT_SECONDS = 10.0  # for another process that writes
# Nothing is wrong with the file: somebody else has it for long, or it cannot be written.
_OUT_OF_REACH = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outline (
    name TEXT PRIMARY KEY, day INTEGER NOT NULL, proof BLOB NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listing (place TEXT PRIMARY KEY, proof BLOB NOT NULL, data BLOB NOT NULL) WITHOUT ROWID;
"""


def blob_name(data: bytes) -> str:
    """The id that git gives to a file with these bytes."""
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Index:
    """With no folder it lasts as long as this object, and keeps no outlines: they would be used once.

    ``rebuilt`` counts what was found broken and thrown away.  No method raises: without a disk to trust, the index
    goes on in memory.
    """

    def __init__(self, folder: Path | None = None, limit: int = LIMIT_BYTES) -> None:
        self._place = folder.expanduser() / f"index-{version()}.sqlite" if folder else None
        self._limit = limit
        self._lock = threading.RLock()  # answers are made in threads
        self._numbers: Mapping[str, int] = {}
        self._state = -1  # of the database that the numbers are of
        self._database: sqlite3.Connection | None = None
        self.rebuilt = 0
        self.begun = 0  # how often the words were lost, for whatever reason

    @property
    def lasting(self) -> bool:
        return self._place is not None

    @property
    def place(self) -> str:
        return str(self._place) if self._place else "memory"

    def size(self) -> int:
        """Bytes on the disk."""
        with self._lock:
            return self._with(_size)

    def close(self) -> None:
        with self._lock:
            self.begun += 1
            database, self._database = self._database, None
            self._state = -1
            if database is not None:
                with suppress(sqlite3.Error):
                    database.close()

    # -- words

    def numbers(self) -> Mapping[str, int]:
        """The blobs whose words are known, and their numbers."""

        def ask(database: sqlite3.Connection) -> Mapping[str, int]:
            (state,) = database.execute("PRAGMA data_version").fetchone()
            if state != self._state:  # another process wrote
                self._state = state
                self._numbers = postings.numbers(database)
            return self._numbers

        with self._lock:
            return self._with(ask)

    def learn(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Take in the words of blobs, some thousands at a time, of which all are taken in or none."""
        left = iter(files)
        while words := {blob: words_of(data) for blob, data in islice(left, LEARNT_AT_ONCE)}:
            self._learn(words)

    def _learn(self, words: Mapping[str, Iterable[bytes]]) -> None:
        with self._lock:
            self._with(lambda database: postings.learn(database, words))
            self._state = -1
            self._with(self._within_limit)

    def holding(self, word: bytes) -> frozenset[int]:
        """The numbers of the blobs that a word finds."""

        with self._lock:
            return self._with(lambda database: postings.holding(database, word))

    # -- outlines

    def outlines(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """The outlines that are known of these blobs."""

        def ask(database: sqlite3.Connection) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            today = int(time.time()) // _DAY
            for blob in blobs:
                for day, kept, data in database.execute("SELECT day, proof, data FROM outline WHERE name = ?", (blob,)):
                    if kept != proof(blob, data):
                        self.rebuilt += 1
                        database.execute("DELETE FROM outline WHERE name = ?", (blob,))
                        continue
                    found[blob] = data
                    if day != today:
                        database.execute("UPDATE outline SET day = ? WHERE name = ?", (today, blob))
            database.commit()
            return found

        with self._lock:
            return self._with(ask)

    def outlined(self, blobs: Iterable[str]) -> frozenset[str]:
        """Those of these blobs that have an outline."""

        def ask(database: sqlite3.Connection) -> frozenset[str]:
            query = "SELECT 1 FROM outline WHERE name = ?"
            return frozenset(blob for blob in blobs if database.execute(query, (blob,)).fetchone())

        with self._lock:
            return self._with(ask)

    def keep(self, outlines: Iterable[tuple[str, bytes]]) -> None:
        """Keep the outlines of blobs."""
        today = int(time.time()) // _DAY
        rows = [(blob, today, proof(blob, data), data) for blob, data in outlines]

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO outline VALUES (?, ?, ?, ?)", rows)
            database.commit()

        if self.lasting and rows:
            with self._lock:
                self._with(write)
                self._with(self._within_limit)

    # -- listings

    def listing(self, place: str) -> bytes | None:
        """What was kept under a name."""

        def ask(database: sqlite3.Connection) -> bytes | None:
            for kept, packed in database.execute("SELECT proof, data FROM listing WHERE place = ?", (place,)):
                if kept == proof(place, packed):
                    return zlib.decompress(packed)
                self.rebuilt += 1
            return None

        with self._lock:
            return self._with(ask)

    def keep_listing(self, place: str, data: bytes) -> None:
        packed = zlib.compress(data, 1)

        def write(database: sqlite3.Connection) -> None:
            row = (place, proof(place, packed), packed)
            database.execute("INSERT OR REPLACE INTO listing VALUES (?, ?, ?)", row)
            database.commit()

        if self.lasting:
            with self._lock:
                self._with(write)

    # -- the database

    def _with(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """Work on the database; when it is broken, on a new one, and when there can be none, on one in memory."""
        try:
            return work(self._opened())
        except OSError:
            self._forsake()
        except (sqlite3.Error, ValueError, TypeError, ArithmeticError, zlib.error) as fault:
            if isinstance(fault, sqlite3.Error) and fault.sqlite_errorcode & 0xFF in _OUT_OF_REACH:
                self._forsake()
            else:
                self.rebuilt += 1
                self._remove()
        try:
            return work(self._opened())
        except (sqlite3.Error, OSError):
            self._forsake()
            return work(self._opened())

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = _open(self._place)
        return self._database

    def _forsake(self) -> None:
        self.close()
        self._place = None

    def _remove(self) -> None:
        self.close()
        if self._place is not None:
            for end in ("", "-wal", "-shm"):
                Path(f"{self._place}{end}").unlink(missing_ok=True)

    def _within_limit(self, database: sqlite3.Connection) -> None:
        """Let go of the outlines that were not asked for longest; when that is not enough, of all."""
        if _size(database) <= self._limit:
            return
        left = self._limit // 2
        doomed: list[tuple[str]] = []
        for name, size in database.execute("SELECT name, length(data) FROM outline ORDER BY day DESC, name"):
            left -= size
            if left < 0:
                doomed.append((name,))
        database.executemany("DELETE FROM outline WHERE name = ?", doomed)
        database.commit()
        database.execute("PRAGMA incremental_vacuum").fetchall()
        if _size(database) > self._limit:
            self._state = -1
            self.begun += 1
            database.executescript("DELETE FROM outline; DELETE FROM shelf; DELETE FROM batch; DELETE FROM listing;")
            database.execute("PRAGMA incremental_vacuum").fetchall()


def _open(place: Path | None) -> sqlite3.Connection:
    if place is None:
        database = sqlite3.connect(":memory:", check_same_thread=False)
    else:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_others(place)
        database = sqlite3.connect(place, timeout=_WAIT_SECONDS, check_same_thread=False)
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL").fetchall()
    database.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is made anew
    database.executescript(_SCHEMA + postings.SCHEMA)
    return database


def _remove_others(place: Path) -> None:
    """Files of other versions that nobody wrote to since yesterday."""
    for other in place.parent.glob("index-*.sqlite*"):
        with suppress(OSError):
            if not other.name.startswith(place.name) and other.stat().st_mtime < time.time() - _DAY:
                other.unlink()


def _size(database: sqlite3.Connection) -> int:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    return int(pages) * int(size)
