"""A file of known changes, row by row: which brought a bug, which mended one, which are clean."""

from __future__ import annotations

import csv
import enum
from collections.abc import Iterator
from dataclasses import dataclass

_COLUMNS = ("id", "case", "kind", "label", "pattern", "file", "rcu_added", "rcu_removed")


class TruthError(Exception):
    """A file of known changes or of judgements cannot be used; the message names the file, the line and the cure."""


class Kind(enum.StrEnum):
    """What is looked at, and so what is expected: the first two are to be found, the others are to stay silent."""

    INTRO = "intro"
    REVERSED = "reversed"  # a fix, taken back
    FIX = "fix"
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Row:
    """One known change.  Rows with the same ``case`` are about the same bug."""

    id: str
    case: str
    kind: Kind
    label: str
    pattern: str  # "P2-missing-grace-period"; "auto" where nobody read it
    change: str  # the same for rows whose patch is the same commit or mail
    file: str  # relative to the folder of the list
    rcu: bool  # an RCU name stands on its + or - lines

    @property
    def fault(self) -> str:
        """The pattern's short name, P2."""
        return self.pattern.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Trial:
    """A change as it is put before the rules."""

    row: Row
    kind: Kind


def read(text: str, name: str) -> tuple[Row, ...]:
    """The rows of a tab-separated list with a heading.  ``name`` is what messages call it.  Raises TruthError."""
    lines = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = [column for column in _COLUMNS if column not in (lines.fieldnames or ())]
    if missing:
        raise TruthError(f"{name}: the first line names no column {', '.join(missing)}; it is to be tab-separated")
    rows: list[Row] = []
    for number, line in enumerate(lines, start=2):
        told = {key: (value or "").strip() for key, value in line.items() if isinstance(key, str)}
        if told["kind"] not in {Kind.INTRO, Kind.FIX, Kind.CLEAN}:
            raise TruthError(f"{name}:{number}: kind {told['kind']!r}; it is intro, fix or clean")
        if not told["id"] or not told["file"]:
            raise TruthError(f"{name}:{number}: a row needs an id and a file")
        rows.append(_row(told))
    return tuple(rows)


def _row(told: dict[str, str]) -> Row:
    return Row(
        id=told["id"],
        case=told["case"] or told["id"],
        kind=Kind(told["kind"]),
        label=told["label"],
        pattern=told["pattern"],
        change=told.get("commit") or told.get("message_id") or told["file"],
        file=told["file"],
        rcu=bool(told["rcu_added"] or told["rcu_removed"]),
    )


def trials(rows: tuple[Row, ...], kinds: frozenset[Kind]) -> Iterator[Trial]:
    """The rows as they are put before the rules; a fix also taken back, to show what the bug looked like."""
    for row in rows:
        ways = (Kind.FIX, Kind.REVERSED) if row.kind is Kind.FIX else (row.kind,)
        for way in ways:
            if row.kind in kinds or way in kinds:
                yield Trial(row, way)


def kinds(words: str) -> frozenset[Kind]:
    """The kinds named in "intro,fix".  Raises TruthError."""
    try:
        return frozenset(Kind(word.strip()) for word in words.split(","))
    except ValueError:
        raise TruthError(f"kind {words!r}; name some of {', '.join(Kind)}, with commas between") from None
