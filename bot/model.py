"""The words of gracewatch: the frozen values that flow from a mail to a warning in chat.

Standard library only, no I/O, no opinions.  Everything here is immutable and hashable, so that a value can be cached,
compared and passed between threads without thought.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

# --------------------------------------------------------------------------------------------- mail


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


# --------------------------------------------------------------------------------------------- code


@dataclass(frozen=True, slots=True)
class Image:
    """One file of the tree in one state.

    A whole file has ``whole`` set and line n of ``text`` is line n of the file.  A fragment was put together from
    hunks: ``lines[n - 1]`` is then the file's line number for line n of ``text``, 0 for a line that was made up to
    close a brace or to name the function.
    """

    path: str
    text: str
    whole: bool = True
    lines: tuple[int, ...] = ()

    def file_line(self, line: int) -> int:
        """The file's own number of line ``line`` of the text; the nearest known one above a made-up line."""
        if self.whole or not self.lines:
            return line
        above = next((number for number in reversed(self.lines[: max(line, 0)]) if number), 0)
        return above or next((number for number in self.lines if number), 1)


@dataclass(frozen=True, slots=True)
class World:
    """A state of the tree: the images that are known of it, by path.

    ``base`` names the tree in words a reader understands ("linux-6.12 at 3f2a…"), "" when there is none.
    """

    images: tuple[Image, ...]
    base: str = ""

    def image(self, path: str) -> Image | None:
        return next((image for image in self.images if image.path == path), None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the review asks of a tree next.

    ``files`` are (path, abbreviated blob id or "").  ``mentions`` are sets of words: every file that holds all words
    of a set.  ``definitions`` are names of functions whose defining files are wanted.  ``near`` are the directories of
    the diff's files: a tree looks there, in their subsystems and in include/, and everywhere only when it is empty.
    ``base_commit`` is the one that the series names: a repository that has it answers from it.
    """

    files: tuple[tuple[str, str], ...] = ()
    mentions: tuple[tuple[str, ...], ...] = ()
    definitions: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    base_commit: str = ""

    def __bool__(self) -> bool:
        return bool(self.files or self.mentions or self.definitions)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tree says to a Wanted: file texts by path (None: no such file), and what it could not do, in words."""

    texts: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """All that a tree has been asked and has answered so far.  ``name`` is "" when there is no tree."""

    name: str = ""
    texts: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    asked: frozenset[str | tuple[str, ...]] = frozenset()  # mentions and definitions that were answered

    def plus(self, wanted: Wanted, answer: Answer) -> Base:
        asked = self.asked | frozenset(wanted.mentions) | frozenset(wanted.definitions)
        # What was asked for by path comes first: the diff's own blob beats the same file met in a search.
        texts = {**answer.texts, **self.texts}
        return Base(self.name, texts, self.notes + answer.notes, asked)


class Level(enum.StrEnum):
    """SARIF's words: the consequence, not the certainty."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Context(enum.StrEnum):
    """How much of the code a finding rests on."""

    HUNK = "hunk"
    FILE = "file"
    TREE = "tree"


class Role(enum.StrEnum):
    """What a line of evidence shows."""

    PUBLISH = "publish"
    READER = "reader"
    REMOVE = "remove"
    WAIT = "wait"
    FREE = "free"
    LOCK = "lock"
    UNLOCK = "unlock"
    USE = "use"
    SLEEP = "sleep"
    STORE = "store"
    DECLARE = "declare"
    EXCUSED = "excused"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quoted source line and where it comes from; ``line`` 0 and ``code`` in words where nothing was found.

    ``origin`` is "patch n", "base" or "hunk".
    """

    role: Role
    path: str
    function: str
    line: int
    code: str
    origin: str = ""
    note: str = ""  # why it is here, in a few words


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule's word about one world."""

    path: str
    function: str
    line: int
    code: str
    subject: str  # the object the hit is about, as a person writes it: "kvm.devices"
    text: str  # the first line of the warning: names primitive and object
    evidence: tuple[Evidence, ...] = ()
    question: str = ""
    cure: str = ""
    confidence: float | None = None  # None: the rule's own


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong after a series and was not wrong before it."""

    rule: str
    level: Level
    confidence: float
    path: str
    function: str
    line: int
    text: str
    subject: str
    touched: bool  # is the line in the diff
    introduced_by: str  # message-id
    evidence: tuple[Evidence, ...]
    fingerprint: str
    context: Context
    question: str = ""
    cure: str = ""
    source: str = ""  # one checklist item


@dataclass(frozen=True, slots=True)
class Quiet:
    """Something that was looked at and left unsaid, with the reason."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """All that was found in one series."""

    series: str  # key
    findings: tuple[Finding, ...] = ()
    quiet: tuple[Quiet, ...] = ()
    context: Context = Context.HUNK
    base: str = ""
    functions: int = 0
    notes: tuple[str, ...] = ()  # "patch 3 did not apply to the tree: ..."


# --------------------------------------------------------------------------------------------- chat


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph of plain words.  No markup: each chat escapes and styles it in its own way."""

    text: str
    quiet: bool = False  # small print


@dataclass(frozen=True, slots=True)
class Code:
    """Lines in fixed width."""

    text: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Short label and value pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Something to show a person, in no chat's own language."""

    headline: str
    link: str = ""  # where the headline leads
    level: Level | None = None
    parts: tuple[Text | Code | Fields, ...] = ()


class DeliveryState(enum.StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    GAVE_UP = "gave-up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A page on its way to a chat.

    ``key`` is unique for ever: the same page for the same place is never queued twice.  ``card`` says that this is the
    parent of ``thread``: posted once, edited afterwards; everything else is a reply below it.
    """

    key: str
    chat: str
    channel: str
    thread: str
    page: Page
    card: bool = False
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    not_before: datetime | None = None
    remote_id: str = ""  # the chat's id of the posted message
    error: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a channel is told of a reviewed series: the card and the replies below it."""

    thread: str
    card: Page
    replies: tuple[tuple[str, Page], ...] = ()  # (fingerprint, page)


@dataclass(frozen=True, slots=True)
class Ask:
    """A person's words to the bot: "explain plain-del-on-rculist", with where and who.

    ``addressed``: the bot was spoken to, by name or by its command; else the words are a reply in some thread.
    """

    chat: str
    channel: str
    who: str
    words: str
    thread: str = ""  # the series thread it was said in, "" elsewhere; filled in by handlers.asked
    place: str = ""  # the chat's own id of the thread it was said in
    event: str = ""  # what the chat calls this utterance; the same one again is not answered twice
    addressed: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    page: Page
    private: bool = True


@dataclass(frozen=True, slots=True)
class Life:
    """A series' findings joined with those of the version before: what happened to each."""

    new: tuple[Finding, ...] = ()
    still_open: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    again: tuple[Finding, ...] = ()  # fixed in an earlier version, and back


@dataclass(frozen=True, slots=True)
class Scan:
    """How much was looked at; the proof behind a silence."""

    messages: int = 0
    patches: int = 0
    series: int = 0
    functions: int = 0
    unreadable: tuple[Unreadable, ...] = field(default=())
