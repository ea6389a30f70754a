"""A replay of an archive: whenever it is stopped, the same command goes on, and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.journeys.gracewatch import EXAMPLES, ROOT

_PATIENCE = 180.0
_THREADS = 250

PATCH = """\
From dev@example.org Thu Jan  1 00:00:00 1970
From: Dev {who} <dev{who}@example.org>
Date: Tue, 6 Jan 2026 10:{minute:02}:0{part} +0000
Subject: [PATCH v{version} {part}/2] misc: change number {number}
Message-ID: <2026010610{number:04}.{who}-{part}-dev@example.org>
{parent}
Change something in {number}.

---
diff --git a/drivers/misc/x{number}.c b/drivers/misc/x{number}.c
--- a/drivers/misc/x{number}.c
+++ b/drivers/misc/x{number}.c
@@ -10,4 +10,5 @@ static int take{part}(struct thing *thing)
 {{
\tthing->count++;
+\tlist_add_tail_rcu(&thing->node, &things);
\treturn 0;
 }}

"""

NO_MAIL = "From dev@example.org Thu Jan  1 00:00:00 1970\nX-Nothing: 1\n\nno mail at all\n"


def archive(folder: Path) -> Path:
    """An mbox of the example series among many others, with rerolls of half of them."""
    mails = []
    for number in range(_THREADS):
        said = {"number": number, "who": number % 7, "version": 1 + number % 2, "minute": number % 60}
        first = f"<2026010610{number:04}.{number % 7}-1-dev@example.org>"
        mails.append(PATCH.format(part=1, parent="", **said))
        mails.append(PATCH.format(part=2, parent=f"In-Reply-To: {first}\n", **said))
    place = folder / "archive.mbox"
    examples = [path.read_text() for path in sorted((EXAMPLES / "kvm").glob("*.mbox"))]
    place.write_text("".join([examples[0], *mails, *examples[1:], NO_MAIL]))
    return place


def started(place: Path, cache: Path, *words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-m", "bot", "replay", "--tree", str(EXAMPLES / "tree"), str(place), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def ended(replay: subprocess.Popen[bytes]) -> tuple[str, str]:
    """What it said, without how fast it was; and what it told the person who ran it."""
    out, told = replay.communicate(timeout=_PATIENCE)
    said = "\n".join(line for line in out.decode().splitlines() if not line.startswith("rate "))
    return said, told.decode()


def states(cache: Path) -> list[Path]:
    return list(cache.rglob("*.db"))


def number(cache: Path, question: str) -> int:
    """What the database of the replay answers, 0 while there is none."""
    for file in states(cache):
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return int((database.execute(question).fetchone() or (0,))[0] or 0)
    return 0


def mails_taken(cache: Path) -> int:
    return number(cache, "SELECT CAST(position AS INTEGER) FROM cursors")


def series_reviewed(cache: Path) -> int:
    return number(cache, "SELECT count(*) FROM reviews")


def stopped(replay: subprocess.Popen[bytes], how: signal.Signals, grown: Callable[[], bool]) -> str | None:
    """Stop it as soon as it came further, and return what it told; None when it came to its end before."""
    deadline = time.monotonic() + _PATIENCE
    while replay.poll() is None and not grown():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    replay.send_signal(how)
    _, told = replay.communicate(timeout=_PATIENCE)
    return told.decode() if replay.returncode else None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def undisturbed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    cache = tmp_path_factory.mktemp("cache")
    replay = started(place, cache)
    said, told = ended(replay)
    assert (replay.returncode, told.count("going on behind")) == (0, 0)
    assert states(cache) == []
    return said


def test_a_replay_finds_the_faults_of_the_example_among_all_else(undisturbed: str) -> None:
    rows = (line.rsplit(maxsplit=1) for line in undisturbed.split("Looked at\n")[-1].splitlines() if line.strip())
    table = {name.strip(): int(count) for name, count in rows}
    example = [path.read_text() for path in (EXAMPLES / "kvm").glob("*.mbox")]
    assert "kvm_device_release" in undisturbed
    assert table["messages"] == 2 * _THREADS + sum(mails.count("\nMessage-I") for mails in example) + 1
    assert table["series"] == _THREADS + len(example)
    assert table["unreadable"] == 1
    assert table["plain-del-on-rculist"] == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_replay_goes_on_and_ends_with_the_same_words(
    place: Path, undisturbed: str, tmp_path: Path, how: signal.Signals
) -> None:
    interruptions = 0
    for progress in (mails_taken, mails_taken, series_reviewed, series_reviewed):
        before = progress(tmp_path)
        replay = started(place, tmp_path)
        told = stopped(replay, how, lambda: progress(tmp_path) > before)  # noqa: B023  called at once
        if told is None:
            break
        interruptions += 1
        assert ("the same command goes on from here" in told) == (how is signal.SIGINT)
    assert interruptions >= 3
    said, told = ended(started(place, tmp_path))
    assert "going on behind" in told
    assert said == undisturbed
    assert states(tmp_path) == []


def test_a_replay_that_is_to_begin_anew_forgets_the_interrupted_one(
    place: Path, undisturbed: str, tmp_path: Path
) -> None:
    assert stopped(started(place, tmp_path), signal.SIGKILL, lambda: mails_taken(tmp_path) > 0) is not None
    said, told = ended(started(place, tmp_path, "--anew"))
    assert "going on behind" not in told
    assert said == undisturbed


def test_a_replay_beside_the_same_one_says_so_and_ends_with_the_same_words(
    place: Path, undisturbed: str, tmp_path: Path
) -> None:
    first = started(place, tmp_path)
    while mails_taken(tmp_path) == 0:
        assert first.poll() is None
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)  # or a quick machine is through before the second begins
    second = ended(started(place, tmp_path))
    first.send_signal(signal.SIGCONT)
    assert "the same replay runs already" in second[1]
    assert [second[0], ended(first)[0]] == [undisturbed, undisturbed]
