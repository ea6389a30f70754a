"""Hostile mail and good mail, in every container that mail comes in, go the service's whole path to the same result."""

from __future__ import annotations

import gzip
import lzma
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cli.sitting import LeapingClock
from bot.feeds.detect import feed_for
from bot.store import SqlStore
from handlers.mail_arrived import Arrival
from handlers.poll_due import poll_due
from tests.journeys.gracewatch import EXAMPLES, gracewatch

sys.path.append(str(Path(__file__).parents[1] / "contracts"))

from feed_places import FROM_LINE, mail

HEAD = b"From: x <x@example.org>\nTo: kvm@lists.example.org\nDate: Mon, 20 Apr 2026 12:00:00 +0000\n"
HOSTILE = [
    HEAD + b"Message-ID: <h1@x>\nSubject: <!channel> ```\x1b[2J\xe2\x80\xae\n\n<!here> ```\x00\x1b]0;x\x07\n",
    HEAD + b"Message-ID: <h2@x>\nSubject: " + b"=?utf-8?q?" + b"a" * 300_000 + b"?=\n\nx\n",
    HEAD
    + b"Message-ID: <h3@x>\nSubject: [PATCH 1/99999999999999999999] x\n\n--- a\n+++ b\n@@ -1,999999999 +1 @@\n-x\n",
    HEAD + b"Message-ID: <h4@x>\nSubject: x\nContent-Transfer-Encoding: base64\n\n!!!!" + b"A" * 5001 + b"\n",
    HEAD + b"Message-ID: <h5@x>\nSubject: x\nContent-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 5000,
    HEAD + b"Message-ID: <h6@x>\nSubject: x\nReferences: " + b"<r@x> " * 20_000 + b"\n\nx\n",
    HEAD + b"Message-ID: <h6@x>\nSubject: the same id again\n\nx\n",
    HEAD + b"Subject: no id at all\n\nx\n",
    b"Subject: \xff\xfe\xfd\nno header any more\n\n\xff\xfe\n",
    HEAD
    + b"Message-ID: <h7@x>\nSubject: lines\n\nFrom me to you\n\nFrom x@y Mon Apr 20 12:00:00 2026\nTo: z\n\n.\n..\n",
    HEAD.replace(b"\n", b"\r\n") + b"Message-ID: <h8@x>\r\nSubject: crlf\r\n\r\nx\r\n",
    HEAD + b"Message-ID: <" + b"i" * 100_000 + b"@x>\nSubject: a long id\n\nx\n",
]
GOOD = [
    mail.replace(b"\n>From ", b"\nFrom ")
    for mail in re.split(rb"^From .*\n", (EXAMPLES / "kvm/v1.mbox").read_bytes(), flags=re.MULTILINE)
    if mail.strip()
]
ALL = [one for number, hostile in enumerate(HOSTILE) for one in (hostile, *GOOD[number : number + 1])]
Written = Callable[[Path, Sequence[bytes]], str]


def mboxrd(mails: Sequence[bytes]) -> bytes:
    return b"".join(FROM_LINE + re.sub(rb"^(>*From )", rb">\1", one, flags=re.MULTILINE) + b"\n" for one in mails)


def one_file(name: str, packed: Callable[[bytes], bytes] = bytes) -> Written:
    def write(folder: Path, mails: Sequence[bytes]) -> str:
        (folder / name).write_bytes(packed(mboxrd(mails)))
        return str(folder / name)

    return write


def a_file_each(name: str, packed: Callable[[bytes], bytes] = bytes) -> Written:
    def write(folder: Path, mails: Sequence[bytes]) -> str:
        for place in ("cur", "new", "tmp"):
            (folder / "box" / place).mkdir(parents=True)
        for number, one in enumerate(mails):
            (folder / "box" / name.format(number)).write_bytes(packed(one))
        return str(folder / "box")

    return write


async def result(place: str) -> tuple[Counter[Arrival], dict[str, int], list[str]]:
    """What became of the mail, what the store holds after it, and the titles of the series."""
    store, counts = SqlStore("sqlite://"), Counter[Arrival]()
    try:
        await store.upgrade()
        await poll_due(feed_for(place, "test"), store, LeapingClock(), timedelta(days=1), told=counts.update)
        async with store.transaction() as transaction:
            held = await transaction.counts()
            titles = sorted(series.title for series in await transaction.recent_series(99))
        return counts, held, titles
    finally:
        await store.close()


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(one_file("all.mbox.gz", gzip.compress), id="gzip"),
        pytest.param(one_file("all.mbox.xz", lzma.compress), id="xz"),
        pytest.param(a_file_each("{:02d}.eml"), id="eml"),
        pytest.param(a_file_each("{:02d}.eml.gz", gzip.compress), id="eml.gz"),
        pytest.param(a_file_each("new/{:02d}.host"), id="maildir"),
    ],
)
async def test_every_container_gives_what_an_mbox_gives(tmp_path: Path, write: Written) -> None:
    expected = await result(one_file("all.mbox")(tmp_path, ALL))
    (tmp_path / "other").mkdir()
    found = await result(write(tmp_path / "other", ALL))
    assert found == expected
    counts, held, titles = found
    assert counts.total() == len(ALL)
    assert counts[Arrival.KNOWN] == 1
    assert held["messages"] + held["unreadable"] == len(ALL) - 1
    assert "KVM: arm64: Walk the device list under RCU" in titles


async def test_a_pipe_gives_what_an_mbox_gives(tmp_path: Path) -> None:
    counts, _, titles = await result(one_file("all.mbox")(tmp_path, ALL))
    done = gracewatch("replay", "--tree", str(EXAMPLES / "tree"), "-", piped=gzip.compress(mboxrd(ALL)))
    assert done.returncode == 0, done.stderr
    assert b"kvm_device_release()" in done.stdout
    figures = dict(re.findall(r"^(\w+) +([\d,]+)$", done.stdout.decode(), re.MULTILINE))
    assert (int(figures["messages"]), int(figures["series"])) == (counts.total(), len(titles))


@pytest.mark.parametrize("packed", [gzip.compress, lzma.compress])
async def test_a_bomb_in_a_folder_costs_its_own_mail_alone(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    write = a_file_each("{:02d}.eml")
    place = write(tmp_path, [mail(1), mail(2)])
    bomb = HEAD + b"Message-ID: <bomb@x>\nSubject: bomb\n\n" + b"\0" * (48 << 20)
    (Path(place) / "01-bomb.eml.gz").write_bytes(packed(bomb))
    counts, held, _ = await result(place)
    assert (counts[Arrival.UNREADABLE], held["messages"]) == (1, 2)
