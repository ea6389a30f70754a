"""Real public-inboxes for tests: each test has an inbox of its own, behind one server that all of them share."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from functools import cache
from http.client import HTTPConnection
from pathlib import Path

from feed_places import HASTY, LIMIT, Lasting, add_mails

from bot.feeds.lore import Lore
from bot.feeds.mirror import Mirror
from bot.feeds.nntp import Nntp
from bot.feeds.public_inbox import PublicInbox
from bot.ports import Feed
from tests.ports import free_port

_PATIENCE = 60.0  # seconds: far more than a loaded machine needs


class Server:
    """A public-inbox-netd that can be stopped and started, and the inboxes behind it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="public-inbox-"))
        self.config = self.folder / "config"
        self.env = {**os.environ, "HOME": str(self.folder), "PI_CONFIG": str(self.config)}
        self.log = self.folder / "server.log"
        self.http, self.nntp = free_port(), free_port()
        self._names = (f"kvm{number}" for number in itertools.count())
        self._pattern = self.folder / "pattern"
        words = ("pattern", str(self._pattern), "http://127.0.0.1/pattern", "pattern@lists.example.org")
        self.run("public-inbox-init", "-V2", "-L", "full", *words)
        self.config.write_text("[publicinboxmda]\n\tspamcheck = none\n")
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def run(self, *words: str, stdin: bytes = b"", recipient: str = "") -> str:
        env = {**self.env, "ORIGINAL_RECIPIENT": recipient}
        return subprocess.run(words, input=stdin, capture_output=True, check=True, env=env).stdout.decode()

    def new_inbox(self) -> tuple[str, Path]:
        """The name and the place of a new inbox: a copy of an empty one, which is much faster than making one."""
        name = next(self._names)
        path = self.folder / name
        shutil.copytree(self._pattern, path)
        with self.config.open("a") as config:
            config.write(
                f'[publicinbox "{name}"]\n\taddress = {name}@lists.example.org\n\turl = http://127.0.0.1/{name}\n'
                f"\tinboxdir = {path}\n\tindexlevel = full\n\tnewsgroup = org.example.{name}\n"
            )
        return name, path

    def serve(self, name: str) -> None:
        """Have an inbox served, whether the server runs or not."""
        if self.process is None:
            self.start()
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        self._until(lambda: _has(self.http, f"/{name}/_/text/config/raw"), f"serve {name}")

    def start(self) -> None:
        listen = ("-l", f"http://127.0.0.1:{self.http}", "-l", f"nntp://127.0.0.1:{self.nntp}", "-W0")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ("public-inbox-netd", *listen), env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        self._until(lambda: _answers(self.http) and _answers(self.nntp), "listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _until(self, ready: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _PATIENCE
        while not ready():
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, f"public-inbox-netd does not {what}"
            time.sleep(0.01)


@cache
def server() -> Server:
    """The one that the tests of a run share."""
    return Server()


class ArchivePlace(Lasting):
    """A real public-inbox, filled by its own delivery agent."""

    def __init__(self, folder: Path) -> None:  # noqa: ARG002  as every place
        self.server = server()
        self.inbox_name, self.inbox = self.server.new_inbox()
        self.path: Path | str = self.inbox

    def run(self, *words: str, stdin: bytes = b"") -> str:
        return self.server.run(*words, stdin=stdin, recipient=f"{self.inbox_name}@lists.example.org")

    def put(self, data: bytes) -> None:
        self.run("public-inbox-mda", "--no-precheck", stdin=data)

    def put_many(self, mails: Iterable[bytes]) -> None:
        """Many mails at once, as an importer does it."""
        add_mails(self.epoch, mails)
        self.index()

    @property
    def epoch(self) -> Path:
        """The epoch that mail goes to."""
        return max((self.inbox / "git").glob("*.git"), key=lambda path: int(path.stem))

    def index(self) -> None:
        self.run("public-inbox-index", "--no-fsync", str(self.inbox))

    def new_epoch(self) -> None:
        """Mail goes to another epoch from now on, as it does when one has grown large."""
        path = self.inbox / "git" / f"{int(self.epoch.stem) + 1}.git"
        self.run("git", "init", "--quiet", "--bare", "--initial-branch=master", str(path))
        self.index()
        if self.server.process is not None:  # else it may take a minute until it shows mail of the new epoch
            self.server.serve(self.inbox_name)

    def purge(self, data: bytes) -> None:
        """Rewrite history without a mail, as its own tool does it."""
        self.run("public-inbox-purge", str(self.inbox), stdin=data)

    def feed(self) -> Feed:
        return PublicInbox(self.inbox, name="kvm", limit=LIMIT)

    def destroy(self) -> None:
        shutil.rmtree(self.inbox)


class ServedPlace(ArchivePlace):
    """A real public-inbox behind the server."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server.serve(self.inbox_name)
        self.url = f"http://127.0.0.1:{self.server.http}/{self.inbox_name}/"
        self.group = f"org.example.{self.inbox_name}"
        self.news = f"nntp://127.0.0.1:{self.server.nntp}/{self.group}"

    def put(self, data: bytes) -> None:
        self.put_many([data])

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def destroy(self) -> None:
        self.stop()


class LorePlace(ServedPlace):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = self.url

    def feed(self) -> Feed:
        return Lore(self.url, HASTY, name="kvm", limit=LIMIT)


class NntpPlace(ServedPlace):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = self.news

    def feed(self) -> Feed:
        return Nntp(self.news, name="kvm", limit=LIMIT)


class MirrorPlace(ServedPlace):
    """The archive of it, mirrored by our feed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = f"{self.url}0"
        self.mirrors = folder / "mirrors"

    def feed(self) -> Feed:
        return Mirror(self.url, HASTY, self.mirrors, name="kvm", limit=LIMIT)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _has(port: int, path: str) -> bool:
    with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    return False
