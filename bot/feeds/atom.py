"""Reads an Atom feed of a public-inbox: which mails it names, and when each came."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit

_ATOM = "{http://www.w3.org/2005/Atom}"
_LONGEST_ID = 1000
_LONGEST_TIME = 64


class AtomError(ValueError):
    """A body is no Atom feed that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail that the feed names; ``stamp`` is when the archive got it, seconds since 1970."""

    message_id: str
    stamp: int


def entries(body: bytes) -> tuple[tuple[Entry, ...], int]:
    """The entries that name a mail, in the feed's order, and how many there were that do not.  Raises AtomError."""
    reading = _Reading()
    parser = ET.XMLParser(target=reading)  # noqa: S314  a document type, and entities with it, is refused
    try:
        parser.feed(body)
        parser.close()
    except ET.ParseError as fault:
        raise AtomError(f"it is no XML: {fault}") from None
    return tuple(reading.found), reading.nameless


class _Reading:
    """What of the XML is kept: links and times of entries.  The mails in it, as large as they may be, are not."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self.found: list[Entry] = []
        self.nameless = 0
        self._link = self._time = ""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise AtomError("it has a document type, which no Atom feed has")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if not self._path and tag != f"{_ATOM}feed":
            raise AtomError("it is XML, but no Atom feed")
        self._path.append(tag)
        if tag == f"{_ATOM}entry":
            self._link = self._time = ""
        elif self._in_entry(f"{_ATOM}link") and attributes.get("rel", "alternate") == "alternate":
            self._link = self._link or attributes.get("href", "")

    def data(self, text: str) -> None:
        if self._in_entry(f"{_ATOM}updated"):
            self._time += text[:_LONGEST_TIME]

    def end(self, tag: str) -> None:
        self._path.pop()
        if tag == f"{_ATOM}entry" and len(self._path) == 1:
            try:
                self.found.append(Entry(id_of(self._link), _stamp(self._time)))
            except (ValueError, OverflowError):
                self.nameless += 1

    def close(self) -> None:
        """All of it was read."""

    def _in_entry(self, tag: str) -> bool:
        return len(self._path) == 3 and self._path[1] == f"{_ATOM}entry" and self._path[2] == tag


def _stamp(text: str) -> int:
    stamp = int(datetime.fromisoformat(text.strip()).timestamp())
    if not 0 <= stamp < 1 << 32:
        raise ValueError("no time that a mail has")
    return stamp


def id_of(address: str) -> str:
    """The Message-ID in ``https://host/list/ID/``.  Raises ValueError.  The host is not asked, and not believed."""
    name = unquote(urlsplit(address).path.rstrip("/").rpartition("/")[2], errors="strict")
    if not is_id(name):
        raise ValueError("no Message-ID")
    return name


def is_id(name: str) -> bool:
    """Whether a name can be a part of an address: dots alone would be steps to another place."""
    return 0 < len(name) <= _LONGEST_ID and name.isprintable() and name not in {".", ".."}
