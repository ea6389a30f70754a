"""Places that mail can be put in, each with the feed that reads it, for the contract of feeds."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import ezpi

from bot.feeds.directory import Directory
from bot.feeds.files import Files
from bot.feeds.lore import Lore
from bot.feeds.mbox import Mbox
from bot.feeds.nntp import Nntp
from bot.feeds.public_inbox import PublicInbox
from bot.feeds.visitor import Manners
from bot.ports import Feed

LIMIT = 4096
FROM_LINE = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"


def mail(number: int, text: str = "hello\n") -> bytes:
    head = (
        f"From: Mara <mara@example.org>\nTo: kvm@lists.example.org\nDate: Mon, 20 Apr 2026 11:40:{number:02d} +0200\n"
        f"Subject: mail {number}\nMessage-ID: <{number}@example.org>\n\n"
    )
    return head.encode() + text.encode()


# A server in a test answers at once or is meant to fail.
HASTY = Manners("tests@example.org", answer_within=10.0, attempts=3, first_pause=0.01, longest_pause=0.05, rest=0.01)


class Place(Protocol):
    """Somewhere that mail is put, one after the other; ``path`` is what an operator would write."""

    @property
    def path(self) -> Path | str: ...

    def put(self, data: bytes) -> None: ...
    def feed(self) -> Feed: ...
    def destroy(self) -> None: ...
    def close(self) -> None: ...


class Lasting:
    """A place that needs no ending."""

    def close(self) -> None:
        """Its folder goes with the test."""


class MboxPlace(Lasting):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "kvm.mbox"
        self.path.touch()

    def put(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(FROM_LINE + data + b"\n")

    def feed(self) -> Feed:
        return Mbox(self.path, name="kvm", limit=LIMIT)

    def destroy(self) -> None:
        self.path.unlink()


class GzipPlace(MboxPlace):
    def put(self, data: bytes) -> None:
        with gzip.open(self.path, "ab") as file:
            file.write(FROM_LINE + data + b"\n")


class XzPlace(MboxPlace):
    def put(self, data: bytes) -> None:
        with lzma.open(self.path, "ab") as file:
            file.write(FROM_LINE + data + b"\n")


class FilesPlace(MboxPlace):
    def feed(self) -> Feed:
        return Files((str(self.path),), name="kvm", limit=LIMIT)


class DirectoryPlace(Lasting):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "mails"
        self.path.mkdir()
        self.number = 0

    def put(self, data: bytes) -> None:
        self.number += 1
        (self.path / f"{self.number:03d}.eml").write_bytes(data)

    def feed(self) -> Feed:
        return Directory(self.path, name="kvm", limit=LIMIT)

    def destroy(self) -> None:
        shutil.rmtree(self.path)


class MaildirPlace(DirectoryPlace):
    def put(self, data: bytes) -> None:
        self.number += 1
        for folder in ("tmp", "new", "cur"):
            (self.path / folder).mkdir(exist_ok=True)
        written = self.path / "tmp" / f"{self.number:03d}.host"
        written.write_bytes(data)
        written.rename(self.path / "new" / written.name)


class MboxDirectoryPlace(DirectoryPlace):
    """A directory in which one mbox grows."""

    def put(self, data: bytes) -> None:
        with (self.path / "grows.mbox").open("ab") as file:
            file.write(FROM_LINE + data + b"\n")


class GitPlace(Lasting):
    """An archive as git alone can make it: every commit is one mail, in the file m."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "archive"
        self.epoch(0)

    def epoch(self, number: int) -> None:
        self.git_dir = self.path / "git" / f"{number}.git"
        self.git_dir.mkdir(parents=True)
        self.git("init", "-q", "--bare")

    def put(self, data: bytes) -> None:
        self.commit("m", data)

    def commit(self, name: str, data: bytes) -> str:
        blob = self.git("hash-object", "-w", "--stdin", stdin=data)
        tree = self.git("mktree", stdin=f"100644 blob {blob}\t{name}\n".encode())
        tip = subprocess.run(
            ["git", "-C", self.git_dir, "rev-parse", "-q", "--verify", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        commit = self.git("commit-tree", tree, *(("-p", tip) if tip else ()), stdin=b"a mail\n")
        self.git("update-ref", "HEAD", commit)
        return commit

    def git(self, *words: str, stdin: bytes = b"") -> str:
        who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", "-C", self.git_dir, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, env={**os.environ, **who})
        return done.stdout.decode().strip()

    def feed(self) -> Feed:
        return PublicInbox(self.path, name="kvm", limit=LIMIT)

    def destroy(self) -> None:
        shutil.rmtree(self.path)


class ArchivePlace(Lasting):
    """A real public-inbox, filled by its own delivery agent."""

    LIST = "kvm@lists.example.org"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "inbox"
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "ORIGINAL_RECIPIENT": self.LIST,
            "PI_CONFIG": str(folder / "config"),
        }
        self.run("public-inbox-init", "-V2", "-L", "full", "kvm", str(self.path), "http://127.0.0.1/kvm", self.LIST)
        self.run("git", "config", "--file", str(folder / "config"), "publicinboxmda.spamcheck", "none")

    def run(self, *words: str, stdin: bytes = b"") -> str:
        done = subprocess.run(words, input=stdin, capture_output=True, check=True, env=self.env)
        return done.stdout.decode()

    def put(self, data: bytes) -> None:
        self.run("public-inbox-mda", "--no-precheck", stdin=data)

    def feed(self) -> Feed:
        return PublicInbox(self.path, name="kvm", limit=LIMIT)

    def destroy(self) -> None:
        shutil.rmtree(self.path)


class ServedPlace(ArchivePlace):
    """A real public-inbox behind its own server, which can be stopped and started."""

    GROUP = "org.example.kvm"
    server: subprocess.Popen[bytes] | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.inbox = folder / "inbox"
        self.run("git", "config", "--file", str(folder / "config"), "publicinbox.kvm.newsgroup", self.GROUP)
        self.log = folder / "server.log"
        self.http, self.nntp = _free_port(), _free_port()
        self.start()

    def put_many(self, mails: Iterable[bytes]) -> None:
        """Many mails at once, as an importer does it."""
        for data in mails:
            ezpi.add_rfc822_v2(str(self.inbox), data)
        self.run("public-inbox-index", "--no-fsync", str(self.inbox))

    def start(self) -> None:
        listen = ("-l", f"http://127.0.0.1:{self.http}", "-l", f"nntp://127.0.0.1:{self.nntp}", "-W0")
        with self.log.open("ab") as log:
            self.server = subprocess.Popen(
                ("public-inbox-netd", *listen), env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 30
        for port in (self.http, self.nntp):
            while not _answers(port):
                assert self.server.poll() is None, self.log.read_text()
                assert time.monotonic() < end, "public-inbox-netd does not listen"
                time.sleep(0.02)

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait(30)
            self.server = None

    def destroy(self) -> None:
        self.stop()

    def close(self) -> None:
        self.stop()


class LorePlace(ServedPlace):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = f"http://127.0.0.1:{self.http}/kvm/"  # type: ignore[assignment]

    def feed(self) -> Feed:
        return Lore(str(self.path), HASTY, name="kvm", limit=LIMIT)


class NntpPlace(ServedPlace):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.path = f"nntp://127.0.0.1:{self.nntp}/{self.GROUP}"  # type: ignore[assignment]

    def feed(self) -> Feed:
        return Nntp(str(self.path), name="kvm", limit=LIMIT)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
