"""The service as a process of its own, which reads folders of mail: what journeys see of it are its log and words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.journeys.gracewatch import EXAMPLES, ROOT

_PATIENCE = 180.0  # seconds: a hang's end, not a bound
_SILENCE = 4.0  # seconds without an event until nothing more is taken to come


class Service:
    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder, self.process = folder, process

    @property
    def log(self) -> list[dict[str, str]]:
        whole, _, _ = (self.folder / "log").read_text("utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def said(self) -> str:
        """All that the console said, on one line, so that wrapping does not matter."""
        return " ".join((self.folder / "out").read_text("utf-8").replace("│", " ").split())

    def events(self, name: str) -> list[dict[str, str]]:
        return [line for line in self.log if line["event"] == name]

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while not true():
            assert self.process.poll() is None, self.log[-5:]
            assert time.monotonic() < end, self.log[-5:]
            time.sleep(0.05)

    def until_silent(self) -> str:
        """All that was said once nothing more happens."""
        events, since = -1, time.monotonic()
        while time.monotonic() - since < _SILENCE:
            if events != (events := len(self.log)):
                since = time.monotonic()
            time.sleep(0.2)
        return self.said

    def told(self, settings: str) -> None:
        """Write other settings, and say so."""
        (self.folder / "gracewatch.toml").write_text(settings, "utf-8")
        self.process.send_signal(signal.SIGHUP)

    def ready(self) -> dict[str, Any]:
        """What /readyz says."""
        address = self.events("watching")[-1]["health"]
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=60) as answer:  # noqa: S310  our own address
                return dict(json.load(answer))
        except urllib.error.HTTPError as answer:
            with answer:
                return dict(json.load(answer))


def settings(folder: Path, *feeds: str, state: Path | None = None, store: str = "") -> str:
    lines = (
        f'state.folder = "{state or folder / "state"}"',
        f'store.url = "{store}"',
        'store.lease = "6s"',
        "health.port = 0",
        'mail.poll = "1s"',
        f'tree.path = "{EXAMPLES / "tree"}"',
        *(f'[[feeds]]\nname = "{name}"\npath = "{folder / name}"' for name in feeds),
    )
    return "\n".join(lines)


@contextmanager
def service(
    folder: Path, *, state: Path | None = None, store: str = "", others: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """It reads the folder ``first``; it must end well.  ``others`` are more variables of its environment."""
    for name in ("first", "second"):
        (folder / name).mkdir()
    (folder / "gracewatch.toml").write_text(settings(folder, "first", state=state, store=store), "utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GRACEWATCH_LOG_FORMAT": "json",
        **(others or {}),
    }
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
