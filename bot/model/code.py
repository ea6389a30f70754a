"""The words of code: images and worlds of the tree, evidence, hits, findings, reviews."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


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
    outline: bytes = field(default=b"", compare=False, repr=False)  # what bot/code has worked out of the text before

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
    outlines: Mapping[str, bytes] = field(default_factory=dict)  # of some of the texts: what bot/code knows of them


@dataclass(frozen=True, slots=True)
class Contract:
    """What a function asks of its callers: to hold any one of ``needs``, for it reads ``reads``.

    A need is "rcu", a lock or an SRCU domain by its place ("kvm->srcu", "kvm->slots_lock"), or "no user": the owner of
    what is read is not shared yet, or no more.
    """

    needs: tuple[str, ...]
    reads: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the kernel beforehand, by the name of a function.

    ``entries`` begin with these locks held and nothing else: system calls, work, and what such functions call at once.
    """

    contracts: Mapping[str, Contract] = field(default_factory=dict)
    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Base:
    """All that a tree has been asked and has answered so far.  ``name`` is "" when there is no tree."""

    name: str = ""
    texts: Mapping[str, str | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    asked: frozenset[str | tuple[str, ...]] = frozenset()  # mentions and definitions that were answered
    known: Known = field(default_factory=Known)
    outlines: Mapping[str, bytes] = field(default_factory=dict)

    def plus(self, wanted: Wanted, answer: Answer) -> Base:
        asked = self.asked | frozenset(wanted.mentions) | frozenset(wanted.definitions)
        # What was asked for by path comes first: the diff's own blob beats the same file met in a search.
        texts = {**answer.texts, **self.texts}
        new = {path: outline for path, outline in answer.outlines.items() if path not in self.texts}
        outlines = {**self.outlines, **new}
        return Base(self.name, texts, self.notes + answer.notes, asked, self.known, outlines)


class Level(enum.StrEnum):
    """SARIF's words: the consequence, not the certainty."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Context(enum.StrEnum):
    """How much of the code a finding rests on."""

    HUNK = "hunk"
    NEAR = "near"  # hunks, among the lines of another state of their file and with a tree around it
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
