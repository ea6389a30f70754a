"""Turns the model's frozen values into JSON and back, whatever bytes a mail smuggled into their strings."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from bot.model import Code, FeedState, Fields, Finding, Habits, Message, Page, Patch, Review, Series, Text

T = TypeVar("T")
CACHED_BYTES = 64 << 10  # of JSON: a larger part is decoded each time, since what packs well may be huge
CACHED_PARTS = 512


@dataclass(frozen=True, slots=True)
class Head:
    """A series without its mails, and the names of the rows that hold them, in order."""

    series: Series
    cover: str = ""
    patches: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()


_PARTS: dict[str, type[Text | Code | Fields]] = {"text": Text, "code": Code, "fields": Fields}
_ADAPTERS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind)
    for kind in (Head, Message, Patch, Page, Finding, Review, Habits, FeedState, *_PARTS.values())
}


def dumps(value: object) -> str:
    """The value as JSON in ASCII.  Pydantic's own JSON refuses lone surrogates, which a mail's body may hold."""
    table = _ADAPTERS[type(value)].dump_python(value, mode="json")
    if isinstance(value, Page):
        for part, fields in zip(value.parts, table["parts"], strict=True):
            fields["kind"] = type(part).__name__.lower()
    return json.dumps(table, separators=(",", ":"))


def loads(kind: type[T], text: str | bytes) -> T:
    """The value that ``dumps`` was given."""
    table = json.loads(text)
    if kind is Page:
        table["parts"] = [_part(fields) for fields in table["parts"]]
    value: T = _ADAPTERS[kind].validate_python(table)
    return value


def _part(fields: dict[str, Any]) -> Text | Code | Fields:
    # Text and Code look alike in JSON, so each part says what it is.
    kind = _PARTS[fields.pop("kind")]
    part: Text | Code | Fields = _ADAPTERS[kind].validate_python(fields)
    return part


def pack(value: object) -> bytes:
    """The value as compressed JSON: a patch says each line up to three times, in body, patch text and hunk."""
    return zlib.compress(dumps(value).encode("ascii"), 1)


def unpack(kind: type[T], data: bytes) -> T:
    """The value that ``pack`` was given; small ones are remembered, since each reply asks for its whole series."""
    text = zlib.decompress(data)
    if len(text) > CACHED_BYTES:
        return loads(kind, text)
    hashable: Any = kind  # mypy does not see that a class is
    value: T = remembered(hashable, text)
    return value


@lru_cache(maxsize=CACHED_PARTS)
def remembered(kind: Any, text: bytes) -> Any:
    return loads(kind, text)


def taken_apart(series: Series) -> tuple[Head, dict[str, Message | Patch]]:
    """A series as its head and its parts by row name.  Row names are stable while a series grows."""
    parts: dict[str, Message | Patch] = {}

    def name(role: str, message: Message, part: Message | Patch) -> str:
        plain = f"{role} {message.id}"
        unique = next(n for n in (plain, *(f"{plain} {count}" for count in range(len(parts) + 1))) if n not in parts)
        parts[unique] = part
        return unique

    head = Head(
        replace(series, cover=None, patches=(), replies=()),
        name("cover", series.cover, series.cover) if series.cover else "",
        tuple(name("patch", patch.message, patch) for patch in series.patches),
        tuple(name("reply", reply, reply) for reply in series.replies),
    )
    return head, parts


def put_together(head: Head, parts: dict[str, bytes]) -> Series:
    """The series that ``taken_apart`` was given, from its packed parts."""
    return replace(
        head.series,
        cover=unpack(Message, parts[head.cover]) if head.cover else None,
        patches=tuple(unpack(Patch, parts[name]) for name in head.patches),
        replies=tuple(unpack(Message, parts[name]) for name in head.replies),
    )
