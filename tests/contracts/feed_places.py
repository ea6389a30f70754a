"""Places that mail can be put in, each with the feed that reads it, for the contract of feeds."""

from __future__ import annotations

import gzip
import lzma
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from bot.feeds.directory import Directory
from bot.feeds.files import Files
from bot.feeds.mbox import Mbox
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


def add_mails(git_dir: Path, mails: Iterable[bytes], name: str = "m") -> None:
    """Commit each mail to an epoch as public-inbox does, all of them with one git: it is a hundred times faster."""
    branch = (git_dir / "HEAD").read_text().removeprefix("ref: ").strip()
    known = subprocess.run(
        ["git", "-C", git_dir, "rev-parse", "-q", "--verify", "HEAD"], capture_output=True, check=False
    )
    parent = f"from {known.stdout.decode().strip()}\n" if known.stdout else ""
    words: list[bytes] = []
    for data in mails:
        words.append(
            f"commit {branch}\ncommitter A <a@example.org> 1776686400 +0000\ndata 6\na mail\n{parent}".encode()
        )
        words.append(f"deleteall\nM 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n")
        parent = ""
    command = ["git", "-C", git_dir, "fast-import", "--quiet", "--done"]
    subprocess.run(command, input=b"".join(words) + b"done\n", check=True)


class Place(Protocol):
    """Somewhere that mail is put, one after the other; ``path`` is what an operator would write."""

    @property
    def path(self) -> Path | str: ...

    def put(self, data: bytes) -> None: ...
    def put_many(self, mails: Iterable[bytes]) -> None: ...
    def feed(self) -> Feed: ...
    def destroy(self) -> None: ...
    def close(self) -> None: ...


class Lasting:
    """A place that needs no ending, and takes one mail after the other."""

    def put(self, data: bytes) -> None:
        raise NotImplementedError

    def put_many(self, mails: Iterable[bytes]) -> None:
        for data in mails:
            self.put(data)

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
        self.put_many([data])

    def put_many(self, mails: Iterable[bytes]) -> None:
        add_mails(self.git_dir, mails)

    def commit(self, name: str, data: bytes) -> None:
        add_mails(self.git_dir, [data], name)

    def git(self, *words: str, stdin: bytes = b"") -> str:
        who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", "-C", self.git_dir, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, env={**os.environ, **who})
        return done.stdout.decode().strip()

    def feed(self) -> Feed:
        return PublicInbox(self.path, name="kvm", limit=LIMIT)

    def destroy(self) -> None:
        shutil.rmtree(self.path)
