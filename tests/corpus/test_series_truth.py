"""b4, which maintainers assemble series with, finds the series that we find; docs/series.md judges the rest.

b4 is GPL and no part of us: it runs in a process and an environment of its own, which ``make b4`` sets up.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.feeds.detect import feed_for
from bot.mail import patch as patches
from bot.mail.assembly import Letter, assemble
from bot.mail.parse import parse
from bot.model import Message, RawMail, Series, SubjectKind

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
B4 = Path(os.environ.get("GRACEWATCH_B4_PYTHON", ROOT / ".venv-b4" / "bin" / "python"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of real mail is not at {CORPUS}"),
    pytest.mark.skipif(not B4.exists(), reason=f"b4 is not installed at {B4}: make b4, or set GRACEWATCH_B4_PYTHON"),
]

Ids = tuple[str | None, ...]  # the cover's and the patches', in order; None for what is not there


async def mails(place: Path) -> dict[str, tuple[bytes, Letter]]:
    """Every mail once, by its id, with its bytes."""
    found: dict[str, tuple[bytes, Letter]] = {}
    async for item in feed_for(str(place)).since(""):
        message = parse(item) if isinstance(item, RawMail) else item
        if isinstance(message, Message) and isinstance(item, RawMail):
            found.setdefault(message.id, (item.data, (message, patches.of(message))))
    return found


def threads(messages: Iterable[Message]) -> list[list[str]]:
    """The ids of mails that are joined by any reference."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]
        return name

    known = list(messages)
    for message in known:
        for parent in message.parents:
            above[top(message.id)] = top(parent)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for message in known:
        found[top(message.id)].append(message.id)
    return list(found.values())


def by_b4(folders: Sequence[Sequence[bytes]]) -> list[Ids]:
    """The series that b4 finds in these threads."""
    asked = "\n".join(json.dumps([base64.b64encode(mail).decode() for mail in mails]) for mails in folders)
    command = [str(B4), str(Path(__file__).with_name("b4_peer.py"))]
    told = subprocess.run(command, input=asked, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(told) == len(folders)
    return [tuple(ids) for line in told for ids in json.loads(line)]


def ids(series: Series) -> Ids:
    there = {patch.index: patch.message.id for patch in series.patches}
    last = max(series.expected, *there)
    return (series.cover.id if series.cover else None, *(there.get(index) for index in range(1, last + 1)))


def difference(ours: Ids, theirs: Sequence[Ids], letters: dict[str, Letter], home: dict[str, Ids]) -> str:
    """Why b4 has no series like ours: one of the reasons that docs/series.md judges, "" when they agree."""
    if ours in theirs:
        return ""
    if not theirs:
        return "b4 has no such series"
    if any(other[:-1] == ours and other[-1] is None for other in theirs):
        return "b4 waits for a part that the cover counted too much"
    for other in theirs:
        head = letters[other[0]][0].subject.kind if other[0] in letters else None
        if other[1:] == ours[1:] and head is SubjectKind.PULL:
            return "a pull request is b4's cover"
    if any(len({home[name] for name in other if name in home}) > 1 for other in theirs):
        return "two works in one"
    more = {name for other in theirs for name in other if name and name not in ours}
    if more and all(name not in home for name in more):
        return "parts that were sent again"
    return "other"


async def compared(place: Path) -> Counter[str]:
    known = await mails(place)
    letters = {name: letter for name, (_, letter) in known.items()}
    ours = [ids(one) for one in assemble(letters.values(), datetime.now(UTC)) if one.patches]
    home = {name: one for one in ours for name in one if name}
    held: defaultdict[str, list[Ids]] = defaultdict(list)
    folders = threads(message for message, _ in letters.values())
    for series in by_b4([[known[name][0] for name in folder] for folder in folders]):
        for name in series:
            if name:
                held[name].append(series)
    return Counter(
        difference(one, [other for name in one if name for other in held[name]], letters, home) for one in ours
    )


async def test_the_series_of_the_kvm_ppc_epoch_are_those_of_b4() -> None:
    said = await compared(CORPUS / "feeds" / "kvm-ppc.0.bundle")
    assert said == {
        "": 306,
        "parts that were sent again": 1,
        "b4 waits for a part that the cover counted too much": 1,
    }


async def test_the_series_of_the_kvmarm_mailboxes_are_those_of_b4() -> None:
    said = await compared(CORPUS / "mail" / "kvmarm.lists.cs.columbia.edu")
    assert said == {
        "": 758,
        "a pull request is b4's cover": 18,
        "two works in one": 22,
        "b4 has no such series": 3,
        "parts that were sent again": 1,
    }
