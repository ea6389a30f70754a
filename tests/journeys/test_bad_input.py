"""Bad input in a feed or on the command line: a clear reason, counted, and nothing else is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.journeys.gracewatch import EXAMPLES, ROOT, at_work, feed_of, gracewatch

V1 = EXAMPLES / "kvm/v1.mbox"


async def test_bad_mail_stops_no_good_mail(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, V1)
    (feed / "0-binary.eml").write_bytes(bytes(range(256)) * 40)
    (feed / "1-cut.eml").write_bytes(b"Subject: [PATCH] x\r\nMessage-ID: <")
    (feed / "2-nul.eml").write_bytes(b"From: a@example.org\nSubject: [PATCH 1/999999] \x00\nMessage-ID: <a@b>\n\n\x00")
    async with at_work(tmp_path / "state", feed, str(EXAMPLES / "tree")) as service:
        await service.until_said("kvm_device_release()")
        counts = await service.counts()
        assert counts["unreadable"] >= 1
        assert counts["messages"] >= 3


async def test_a_missing_feed_is_named_and_the_service_goes_on(tmp_path: Path) -> None:
    async with at_work(tmp_path / "state", tmp_path / "absent") as service, asyncio.timeout(180):
        while "absent" not in (await service.app.health.parts()).get("feed test", ""):
            await asyncio.sleep(0.05)
        assert (await service.app.health.parts())["store"] == "ok"


async def test_missing_parts_are_waited_for_and_then_done_without(tmp_path: Path) -> None:
    mails = V1.read_text().split("From mboxrd@z")
    feed = tmp_path / "feed"
    feed.mkdir()
    (feed / "part.mbox").write_text("".join(f"From mboxrd@z{mail}" for mail in mails[2:3]))
    async with at_work(tmp_path / "state", feed, str(EXAMPLES / "tree"), patience="1s") as service:
        await service.until_reviewed(1)


def test_a_diff_that_does_not_apply_is_reviewed_and_says_so(tmp_path: Path) -> None:
    odd = tmp_path / "odd.mbox"
    odd.write_text(V1.read_text().replace("list_add(&dev->vm_node", "list_put(&dev->vm_node"))
    done = gracewatch("check", "--tree", str(EXAMPLES / "tree"), str(odd))
    assert done.returncode in {0, 1}
    assert b"apply" in done.stdout


def test_c_that_does_not_parse_is_no_failure(tmp_path: Path) -> None:
    bad = tmp_path / "bad.diff"
    bad.write_text("--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,3 @@ int f(void)\n {\n+\tlist_del_rcu(((((;;; }} #if {{\n }\n")
    done = gracewatch("check", str(bad))
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


def test_a_bare_diff_comes_through_a_pipe() -> None:
    diff = "--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,2 @@ static void f(void)\n {\n-\tx = 1;\n }\n"
    done = gracewatch("check", "--format", "json", "-", piped=diff.encode())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scanned"]["patches"] == 1


def test_a_series_is_put_together_across_files(tmp_path: Path) -> None:
    parts = [f"From mboxrd@z{mail}" for mail in V1.read_text().split("From mboxrd@z")[1:]]
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.mbox").write_text(part)
    files = [str(tmp_path / f"{number}.mbox") for number in (2, 0, 1)]
    done = gracewatch("check", "--format", "json", "--tree", str(EXAMPLES / "tree"), *files)
    said = json.loads(done.stdout)
    assert said["scanned"]["series"] == 1
    assert (len(said["series"][0]["message_ids"]), len(said["series"][0]["findings"])) == (3, 2)


def test_what_cannot_be_done_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for words in (("absent.mbox",), (str(tmp_path / "empty"),), ("--tree", "absent", str(V1))):
        done = gracewatch("check", *words)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        assert done.stderr


def test_the_json_has_the_shape_that_was_promised() -> None:
    said = json.loads(gracewatch("check", "--format", "json", "--tree", str(EXAMPLES / "tree"), str(V1)).stdout)
    assert list(said) == ["version", "scanned", "series", "unreadable"]
    assert said["version"] == 1
    assert set(said["scanned"]) == {"messages", "patches", "series", "functions"}
    series = said["series"][0]
    assert set(series) == {"key", "title", "version", "message_ids", "findings", "quiet"}
    assert set(series["findings"][0]) == {
        *("rule", "level", "confidence", "path", "function", "line", "text", "touched", "introduced_by"),
        *("evidence", "fingerprint", "context"),
    }
    assert set(series["findings"][0]["evidence"][0]) == {"role", "path", "function", "line", "code", "origin"}


def test_a_replay_ends_with_its_table() -> None:
    done = gracewatch("replay", "--tree", str(EXAMPLES / "tree"), str(EXAMPLES / "kvm"))
    assert done.returncode == 0
    words = done.stdout.decode().split("Looked at\n")[-1]
    for row in ("messages", "patches", "series", "unreadable", "plain-del-on-rculist", "rate"):
        assert row in words


def test_a_replay_since_a_day_passes_over_older_mail() -> None:
    done = gracewatch("replay", "--format", "json", "--since", "2026-04-22", str(EXAMPLES / "kvm"))
    assert [series["version"] for series in json.loads(done.stdout)["series"]] == [3]


def test_the_words_of_the_command_line_answer(tmp_path: Path) -> None:
    assert b"plain-del-on-rculist" in gracewatch("rules").stdout
    assert b"list_del" in gracewatch("explain", "plain-del-on-rculist").stdout
    unknown = gracewatch("explain", "plain-del-on-rculst")
    assert (unknown.returncode, b"nearest is plain-del-on-rculist" in unknown.stderr) == (2, True)
    assert gracewatch("doctor", folder=tmp_path).returncode == 0
    assert not list(tmp_path.iterdir())
    (tmp_path / "bad.toml").write_text("[tree]\npath = '/absent'\n")
    ill = gracewatch("doctor", "--config", "bad.toml", folder=tmp_path)
    assert (ill.returncode, b"/absent" in ill.stdout) == (2, True)


def test_ctrl_c_stops_the_service_cleanly_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    service = _started(tmp_path)
    service.kill()  # at whatever it just does
    service.communicate()
    service = _started(tmp_path)
    end = time.monotonic() + 60
    said = b""
    while b"fixed in v3: 2" not in said and time.monotonic() < end:
        said = (tmp_path / "out").read_bytes()
        time.sleep(0.1)
    service.send_signal(signal.SIGINT)
    assert service.wait(20) == 0
    assert b"fixed in v3: 2" in said
    assert b"kvm_device_release(), not touched by the diff" in said
    assert b"Traceback" not in (tmp_path / "log").read_bytes()


def _started(folder: Path) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "GRACEWATCH_STATE_FOLDER": str(folder / "state"),
        "GRACEWATCH_HEALTH_PORT": "0",
    }
    with (folder / "out").open("ab") as out, (folder / "log").open("ab") as log:
        service = subprocess.Popen(
            [sys.executable, "-m", "bot", "run"], cwd=ROOT, env=environment, stdout=out, stderr=log
        )
    end = time.monotonic() + 60
    while b"watching" not in (folder / "log").read_bytes() and time.monotonic() < end:
        time.sleep(0.05)
    return service
