"""A day of three lists, at any multiple of how busy they are: threads of patches and answers, some with faults."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime

from tests.journeys.gracewatch import EXAMPLES

# Mails a day: what is known of kvm@vger.kernel.org, and the busiest years of the two lists that are kept whole.
LISTS: Mapping[str, float] = {"kvm": 250, "kvmarm": 10, "kvm-ppc": 5}
_FAULTY = 25  # one thread of so many brings the example's faults, and mends them hours later
_MOST_PATCHES, _MOST_ANSWERS, _MOST_FUNCTIONS = 5, 6, 80
_V1, _V3 = ((EXAMPLES / "kvm" / f"{version}.mbox").read_text("utf-8") for version in ("v1", "v3"))


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, or the mails of a small series that come at once, as an mbox; ``after`` the beginning it comes."""

    after: timedelta
    feed: str
    number: int  # of mails
    text: str
    faulty: bool = False


def day(times: float, begun: datetime, length: timedelta, seed: int = 1) -> list[Mail]:
    """What comes on all lists, in order, when they are so many times as busy as they are."""
    draw = random.Random(seed)  # noqa: S311  the same day each time
    found = [mail for feed, rate in LISTS.items() for mail in _of_list(feed, rate * times, begun, length, draw)]
    return sorted(found, key=lambda mail: mail.after)


def _of_list(feed: str, rate: float, begun: datetime, length: timedelta, draw: random.Random) -> Iterator[Mail]:
    """Threads begin evenly; their answers come in the hours that follow, as far as the day goes."""
    sent, thread = 0, 0
    wanted = rate * length / timedelta(days=1)
    while sent < wanted:
        at = length * (sent / wanted)
        faulty = thread % _FAULTY == 0
        mails = _faulty(f"{feed}{thread}") if faulty else _plain(f"{feed}{thread}", draw)
        for number, text in enumerate(mails):
            when = at + number * timedelta(minutes=draw.uniform(1, 90) if number else 0)
            if when < length:
                count = text.count("\nMessage-ID:")
                sent += count
                yield Mail(when, feed, count, _dated(text, begun + when), faulty and number == 0)
        thread += 1


def _dated(text: str, when: datetime) -> str:
    return re.sub(r"^Date: .*$", f"Date: {format_datetime(when)}", text, flags=re.M)


def _faulty(thread: str) -> list[str]:
    """The example, and its third version."""
    own = [mail.replace("kvm-device", f"{thread}-kvm-device") for mail in (_V1, _V3)]
    return [re.sub(r"^(Subject: .*)$", rf"\1, {thread}", mail, flags=re.M) for mail in own]


def _plain(thread: str, draw: random.Random) -> list[str]:
    """A series of patches that are in order, all at once, and then what people say of it."""
    total = draw.randint(1, _MOST_PATCHES)
    patches = "".join(_patch(thread, number, total, draw.randint(1, _MOST_FUNCTIONS)) for number in range(1, total + 1))
    return [patches, *(_answer(thread, number) for number in range(draw.randint(0, _MOST_ANSWERS)))]


def _head(thread: str, name: str, subject: str, parent: str = "") -> str:
    reply = f"In-Reply-To: <{parent}@soak.example.org>\n" if parent else ""
    return (
        f"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A <a.{thread}@example.org>\nDate: x\nSubject: {subject}\n"
        f"Message-ID: <{thread}-{name}@soak.example.org>\n{reply}\n"
    )


def _patch(thread: str, number: int, total: int, functions: int) -> str:
    path, size = f"drivers/soak/{thread}-{number}.c", 5 * functions
    body = "".join(
        f"+static int soak_{number}_{place}(struct soak *soak)\n+{{\n+\tmutex_lock(&soak->lock);\n"
        f"+\tlist_add(&soak->node, &soak_list);\n+}}\n"
        for place in range(functions)
    )
    diff = (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{size} @@\n{body}"
    )
    parent = f"{thread}-1" if number > 1 else ""
    subject = f"[PATCH {number}/{total}] soak: {thread}: Add part {number}"
    return _head(thread, str(number), subject, parent) + f"Why.\n\n---\n{diff}-- \n2.39.5\n\n"


def _answer(thread: str, number: int) -> str:
    said = "> quoted\n\nThis looks right to me, but see below.\n" * 20
    return _head(thread, f"re{number}", f"Re: [PATCH] soak: {thread}", f"{thread}-1") + said + "\n"
