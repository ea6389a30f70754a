"""What is fuzzed: each target takes any bytes, and what it asserts holds for all of them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from bot.chats.slack.blocks import MOST_BLOCKS, rendered
from bot.code.facts import facts_of, functions_of
from bot.code.prepass import prepare
from bot.code.protection import WorldFacts
from bot.feeds.atom import AtomError, entries
from bot.mail import diff
from bot.mail import patch as patches
from bot.mail.assembly import assemble
from bot.mail.parse import parse
from bot.mail.subject import read as read_subject
from bot.mail.trailers import read as read_trailers
from bot.model import Base, Code, Fields, Hunk, Image, Message, Page, RawMail, Text, Unreadable, World
from bot.report.text import render
from bot.review import reverse, review
from handlers.command import UnclearError
from handlers.verbs import command

Target = Callable[[bytes], None]

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ENVELOPE = b"From: A <a@example.org>\nMessage-ID: <1@example.org>\nSubject: [PATCH] x\n\nWhy.\n---\n"
_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def mail(data: bytes) -> None:
    """A mail is read, or set aside with a reason and a cure; what was read can be joined to a series."""
    read = parse(RawMail("fuzz", "1", data))
    if isinstance(read, Unreadable):
        assert read.reason
        assert read.cure
        return
    patch = patches.of(read)
    read_trailers(read.body)
    for series in assemble([(read, patch)], _NOW):
        assert series.title is not None


def subject(data: bytes) -> None:
    """A subject has a version and its parts stand in a sane order."""
    read = read_subject(_text(data))
    assert read.version >= 1
    assert read.index is None or read.index >= 0
    assert read.total is None or read.total >= 0


def diffs(data: bytes) -> None:
    """A diff that is taken back swaps what was and what is, and no hunk counts lines that it does not have."""
    files, _ = diff.read(_text(data))
    for file in files:
        for hunk, back in zip(file.hunks, diff.reverse(file).hunks, strict=True):
            assert (_side(back, "+"), _side(back, "-")) == (_side(hunk, "-"), _side(hunk, "+"))
            assert sum(line[:1] != "+" for line in hunk.lines) == hunk.old_count
            assert sum(line[:1] != "-" for line in hunk.lines) == hunk.new_count


def prepass(data: bytes) -> None:
    """The pre-pass moves nothing: as long as before, and every line where it was."""
    prepared = prepare(data)
    assert len(prepared) == len(data)
    assert [at for at, byte in enumerate(prepared) if byte == 10] == [at for at, byte in enumerate(data) if byte == 10]


def facts(data: bytes) -> None:
    """Any text is C enough to be asked for facts, and each lies in its file."""
    image = Image("fuzz.c", _text(data))
    world = WorldFacts(World((image,)))
    last = image.text.count("\n") + 1
    for function in functions_of(image):
        for fact in facts_of(function, world.structs):
            assert 1 <= fact.line <= last


def hunks(data: bytes) -> None:
    """The lines of a diff are wrapped and reviewed, forward and back; evidence names lines that are there."""
    read = parse(RawMail("fuzz", "1", _ENVELOPE + data))
    assert isinstance(read, Message)
    for series in assemble([(read, patches.of(read))], _NOW):
        for way in (series, reverse(series)):
            for finding in review(way, Base()).findings:
                assert finding.line >= 1
                assert finding.fingerprint


def words(data: bytes) -> None:
    """What a person says names a command, or is answered with the nearest one."""
    for word in _text(data).split()[:1]:
        with contextlib.suppress(UnclearError):
            assert command(word).name


def slack(data: bytes) -> None:
    """No page breaks Slack's limits, and no text in it acts as markup."""
    shown = rendered(_page(data))
    assert 0 < len(shown.blocks) <= MOST_BLOCKS
    said = json.dumps(shown.blocks) + shown.text
    assert "<!" not in said
    assert "<@" not in said
    assert "<#" not in said


def terminal(data: bytes) -> None:
    """Nothing that a terminal shows steers it."""
    assert not _STEERS.search(render(_page(data)).replace("\n", ""))


def atom(data: bytes) -> None:
    """An answer of a server is a feed or is refused with a reason."""
    with contextlib.suppress(AtomError):
        found, nameless = entries(data)
        assert nameless >= 0
        assert all(entry.message_id for entry in found)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _side(hunk: Hunk, other: str) -> list[str]:
    return [line[1:] for line in hunk.lines if line[:1] != other]


def _page(data: bytes) -> Page:
    """A page whose every text is a piece of the data."""
    texts = [_text(piece) for piece in data.split(b"\0")]
    parts = [(Text, Code)[place % 2](text) for place, text in enumerate(texts[1:40])]
    pairs = tuple(zip(texts[::2], texts[1::2], strict=False))[:12]
    return Page(texts[0], parts=(*parts, *((Fields(pairs),) if pairs else ())))


TARGETS: dict[str, Target] = {
    "mail": mail,
    "subject": subject,
    "diff": diffs,
    "prepass": prepass,
    "facts": facts,
    "hunks": hunks,
    "words": words,
    "slack": slack,
    "terminal": terminal,
    "atom": atom,
}
