"""SIGHUP has a running service take over new settings; broken ones are told, and change nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.journeys.gracewatch import EXAMPLES, ROOT

_PATIENCE = 120.0  # seconds: a hang's end, not a bound


class Service:
    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder, self.process = folder, process

    @property
    def log(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.folder / "log").read_text("utf-8").splitlines() if line]

    def events(self, name: str) -> list[dict[str, str]]:
        return [line for line in self.log if line["event"] == name]

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while not true():
            assert self.process.poll() is None, self.log[-5:]
            assert time.monotonic() < end, self.log[-5:]
            time.sleep(0.05)

    def told(self, settings: str) -> None:
        """Write other settings, and say so."""
        (self.folder / "gracewatch.toml").write_text(settings, "utf-8")
        self.process.send_signal(signal.SIGHUP)


def settings(folder: Path, *feeds: str, port: int = 0) -> str:
    named = "\n".join(f'[[feeds]]\nname = "{name}"\npath = "{folder / name}"' for name in feeds)
    return f'state.folder = "{folder / "state"}"\nhealth.port = {port}\nmail.poll = "1s"\n{named}\n'


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    for name in ("first", "second"):
        (folder / name).mkdir()
    (folder / "gracewatch.toml").write_text(settings(folder, "first"), "utf-8")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GRACEWATCH_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "bot", "run", "--config", str(folder / "gracewatch.toml")]
    with (folder / "out").open("wb") as out, (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=log)
    it = Service(folder, process)
    try:
        it.until(lambda: it.events("watching"))
        yield it
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_a_feed_that_is_added_is_read_and_what_is_known_is_not_told_twice(tmp_path: Path) -> None:
    with service(tmp_path) as it:
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: it.events("series reviewed"))
        it.told(settings(tmp_path, "first", "second"))
        it.until(lambda: len(it.events("watching")) == 2)
        assert [line["feeds"] for line in it.events("watching")] == ["first", "first, second"]
        shutil.copy(EXAMPLES / "kvm" / "v3.mbox", tmp_path / "second")
        it.until(lambda: len(it.events("series reviewed")) == 2)
    told = [line["delivery"] for line in it.events("page left")]
    assert len(told) == len(set(told)) > 0
    assert not any("Traceback" in json.dumps(line) for line in it.log)


def test_settings_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    with service(tmp_path) as it:
        it.told("no = such\nsettings")
        it.until(lambda: it.events("settings cannot be used"))
        it.told(settings(tmp_path, "first"))
        it.until(lambda: it.events("settings are as they were"))
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: it.events("series reviewed"))
        assert len(it.events("watching")) == 1
        assert "gracewatch.toml" in it.events("settings cannot be used")[0]["reason"]


def test_settings_that_cannot_be_begun_with_give_way_to_the_former(tmp_path: Path) -> None:
    with service(tmp_path) as it:
        it.told(settings(tmp_path, "first", "second").replace("health.port = 0", 'health.host = "192.0.2.1"'))
        it.until(lambda: len(it.events("watching")) == 2)
        assert "192.0.2.1" in it.events("settings cannot be used")[0]["reason"]
        assert it.events("watching")[1]["feeds"] == "first"
