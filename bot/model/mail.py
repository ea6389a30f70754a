"""The words of mail: messages, patches, series, and what a diff does to a file."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RawMail:
    """One mail as a feed handed it over: bytes, untouched, with the place where it was found."""

    feed: str
    position: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Input that could not be used: which one, why, and what to do about it.  Kept and counted, never raised."""

    source: str
    reason: str
    cure: str = ""
    position: str = ""  # where a feed goes on after it; "" when it did not come from a feed


class SubjectKind(enum.StrEnum):
    COVER = "cover"
    PATCH = "patch"
    REPLY = "reply"
    PULL = "pull"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject line taken apart: ``[RFC PATCH v5.1 10/12] KVM: x`` is kind PATCH, version 5, amendment 1, index 10."""

    raw: str
    kind: SubjectKind
    title: str
    version: int = 1
    amendment: int = 0  # the 1 of "v5.1": one part of v5 sent again
    index: int | None = None
    total: int | None = None
    tags: tuple[str, ...] = ()  # upper case: RFC, RESEND, and list or tree names as they stand


@dataclass(frozen=True, slots=True)
class Address:
    name: str
    email: str  # lower case


@dataclass(frozen=True, slots=True)
class Message:
    """A parsed mail.

    ``body`` is the text that a person reads, decoded as UTF-8 with ``surrogateescape`` so that
    ``body.encode("utf-8", "surrogateescape")`` gives back the exact bytes (tabs, trailing blanks, CRLF).
    ``patch_text`` is the same for the part that carries a diff (the body itself, or an attachment), "" when none does.
    Ids are without angle brackets.
    """

    id: str
    subject: Subject
    sender: Address
    sent_at: datetime | None  # aware, UTC
    lists: tuple[str, ...]  # list addresses among To, Cc, List-Id
    parents: tuple[str, ...]  # In-Reply-To first, then References from the nearest to the oldest, no repeats
    body: str
    patch_text: str = ""
    change_id: str = ""  # "change-id:" trailer of b4, "" when none
    problems: tuple[str, ...] = ()  # what was odd: "format=flowed", "mangled: ...", "no date"


@dataclass(frozen=True, slots=True)
class Trailer:
    """``Fixes: 0123 ("x")`` and its like; ``name`` as written, compared without case."""

    name: str
    value: str


class FileChange(enum.StrEnum):
    MODIFIED = "modified"
    ADDED = "added"
    DELETED = "deleted"
    RENAMED = "renamed"
    COPIED = "copied"


@dataclass(frozen=True, slots=True)
class Hunk:
    """``@@ -old_start,old_count +new_start,new_count @@ section`` and its lines, each with its leading ' ', '+' or '-'.

    Line ends are stripped of the "\\n" alone: a CRLF patch keeps its "\\r".  ``missing_newline`` names the sides
    ("-", "+") that lack the newline at the end of the file.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str
    lines: tuple[str, ...]
    missing_newline: str = ""


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What a patch does to one file.  Blob ids are the abbreviated ones of ``index a..b``, "" when not said."""

    old_path: str | None
    new_path: str | None
    change: FileChange = FileChange.MODIFIED
    hunks: tuple[Hunk, ...] = ()
    old_blob: str = ""
    new_blob: str = ""
    old_mode: str = ""
    new_mode: str = ""
    binary: bool = False

    @property
    def path(self) -> str:
        """Where the file is after the patch, or where it was when the patch deletes it."""
        return self.new_path or self.old_path or ""

    @property
    def added(self) -> int:
        return sum(line.startswith("+") for hunk in self.hunks for line in hunk.lines)

    @property
    def removed(self) -> int:
        return sum(line.startswith("-") for hunk in self.hunks for line in hunk.lines)


@dataclass(frozen=True, slots=True)
class Patch:
    """A message that carries a diff, and what the diff does."""

    message: Message
    files: tuple[FileDiff, ...]
    trailers: tuple[Trailer, ...] = ()
    base_commit: str = ""
    prerequisites: tuple[str, ...] = ()  # prerequisite-patch-id values
    problems: tuple[str, ...] = ()  # why parts of the diff could not be read

    @property
    def index(self) -> int:
        """Place in the series; a single patch is number 1."""
        return self.message.subject.index or 1


class SeriesState(enum.StrEnum):
    OPEN = "open"  # parts are still expected
    SETTLED = "settled"  # complete, or patience is over
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class Series:
    """One version of a patch series: the cover, the patches that came, how many are expected.

    ``key`` names this version; ``thread`` names the work across its versions v1..vN and is where its chat thread hangs.
    ``settles_at`` is when patience with missing parts is over.
    """

    key: str
    thread: str
    version: int
    title: str
    author: Address
    expected: int
    state: SeriesState
    settles_at: datetime
    cover: Message | None = None
    patches: tuple[Patch, ...] = ()  # by index, one for each index
    replies: tuple[Message, ...] = ()
    tags: tuple[str, ...] = ()
    change_id: str = ""
    base_commit: str = ""
    problems: tuple[str, ...] = ()  # what was odd about its parts: "patch 4 of 3", "patch 2 came twice"

    @property
    def message_ids(self) -> tuple[str, ...]:
        cover = (self.cover.id,) if self.cover else ()
        return cover + tuple(patch.message.id for patch in self.patches)

    @property
    def missing(self) -> tuple[int, ...]:
        """Indices of parts that never came."""
        have = {patch.index for patch in self.patches}
        return tuple(number for number in range(1, self.expected + 1) if number not in have)
