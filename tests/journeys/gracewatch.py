"""A gracewatch at work for journeys: real settings, store, tree and reviews; its console writes into a string."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.app import App
from config.settings import load

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
_PATIENCE = 180.0  # seconds until a test gives up: far more than a loaded machine needs


@asynccontextmanager
async def at_work(
    folder: Path,
    feed: Path | None = None,
    tree: str = "",
    patience: str = "1h",
    others: Mapping[str, str] | None = None,
) -> AsyncIterator[Watched]:
    """The service on a feed, or on the example that it comes with; its state is in ``folder``; stopped at the end.

    ``others`` are more variables of its environment.
    """
    out = io.StringIO()
    environment = {
        "GRACEWATCH_STATE_FOLDER": str(folder),
        "GRACEWATCH_HEALTH_PORT": "0",
        "GRACEWATCH_MAIL_POLL": "1s",
        "GRACEWATCH_MAIL_PATIENCE": patience,
    }
    if feed:
        environment |= {
            "GRACEWATCH_FEEDS": f'[{{"name": "test", "kind": "directory", "path": "{feed}"}}]',
            "GRACEWATCH_TREE_PATH": tree,
        }
    environment |= others or {}
    app = App(load(None, environment), out)
    running = asyncio.create_task(app.run())
    try:
        yield Watched(app, out, running)
    finally:
        app.stop()
        await running


class Watched:
    """What a test sees of the service."""

    def __init__(self, app: App, out: io.StringIO, running: asyncio.Task[None]) -> None:
        self.app = app
        self._out = out
        self._running = running

    @property
    def feeds(self) -> str:
        """Its feeds as a setting, for another process."""
        return json.dumps([feed.model_dump(mode="json", exclude_defaults=True) for feed in self.app.settings.feeds])

    @property
    def said(self) -> str:
        """All that the console said, on one line, so that wrapping does not matter."""
        return " ".join(self._out.getvalue().replace("│", " ").split())

    async def until_said(self, words: str) -> str:
        async with asyncio.timeout(_PATIENCE):
            while words not in self.said:
                assert not self._running.done(), self._running
                await asyncio.sleep(0.05)
        return self.said

    async def until_logged(self, lines: Sequence[MutableMapping[str, Any]], event: str) -> None:
        async with asyncio.timeout(_PATIENCE):
            while all(line["event"] != event for line in lines):
                assert not self._running.done(), self._running
                await asyncio.sleep(0.05)

    async def until_reviewed(self, number: int) -> None:
        async with asyncio.timeout(_PATIENCE):
            while (await self.counts()).get("reviewed", 0) < number:
                assert not self._running.done(), self._running
                await asyncio.sleep(0.05)

    async def counts(self) -> dict[str, int]:
        """What the store holds; nothing while it is still being opened."""
        if not Path(self.app.settings.state.folder, "gracewatch.db").exists():
            return {}
        async with self.app.store.transaction() as transaction:
            return await transaction.counts()


def gracewatch(
    *words: str,
    piped: bytes = b"",
    folder: Path | None = None,
    state: Path | None = None,
    others: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """The command line, as a person calls it."""
    kept = {"GRACEWATCH_STATE_FOLDER": str(state)} if state else {}
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT), **kept, **(others or {})}
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        input=piped,
        capture_output=True,
        cwd=folder or ROOT,
        env=environment,
        timeout=120,
        check=False,
    )


def feed_of(folder: Path, *mails: Path) -> Path:
    """A feed directory with copies of these files of mail."""
    feed = folder / "feed"
    feed.mkdir(exist_ok=True)
    for mail in mails:
        shutil.copy(mail, feed)
    return feed


def tree_after_v3(folder: Path) -> Path:
    """The example tree with v3 of the example series in it."""
    tree = folder / "tree-v3"
    shutil.copytree(EXAMPLES / "tree", tree)
    subprocess.run(["git", "init", "-q", tree], check=True)
    subprocess.run(["git", "-C", tree, "apply", EXAMPLES / "kvm" / "v3.mbox"], check=True)
    return tree
