"""The feed that reads a public-inbox v2 archive: git repositories (epochs) in which every commit is one mail."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot import git
from bot.feeds.opening import in_thread
from bot.feeds.splitting import MAX_MAIL_BYTES
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_BUNDLE = (b"# v2 git bundle\n", b"# v3 git bundle\n")
_AT_ONCE = 512  # commits that are asked for together
_BROKEN_IN_A_ROW = 5  # one bad object is passed over; more of them in a row are a bad disk
_CURE = "check it with git fsck, or mirror the archive again"


@dataclass(frozen=True, slots=True, order=True)
class _Epoch:
    number: int
    path: Path


@dataclass(frozen=True, slots=True)
class _Cursor:
    """``EPOCH:COMMIT``, the last commit that was taken."""

    epoch: int = -1
    commit: str = ""

    @classmethod
    def of(cls, position: str) -> _Cursor:
        epoch, _, commit = position.partition(":")
        return cls(int(epoch), commit) if epoch.isdigit() and commit.isalnum() else cls()


class PublicInbox:
    """Mails of an archive: its directory (``git/0.git``, ``git/1.git`` …), a single epoch, or a git bundle of one.

    Commits are read oldest first; each holds its mail as the blob ``m``.  A commit without it takes a mail away, which
    changes nothing for us.  Whoever mirrors the archive brings new commits in; a rewritten history (a mail was purged)
    is read again from where it parted from the one that was known.
    """

    def __init__(self, path: Path, *, name: str = "", limit: int = MAX_MAIL_BYTES) -> None:
        self.path = path
        self.name = name or str(path)
        self._limit = limit

    def since(self, position: str) -> AsyncIterator[RawMail | Unreadable]:
        return in_thread(self._read(position))

    def _read(self, position: str) -> Generator[RawMail | Unreadable, None, None]:
        with self._epochs() as epochs:
            cursor = _Cursor.of(position)
            if cursor.epoch >= 0 and cursor.epoch not in {epoch.number for epoch in epochs}:
                yield self._note(f"its epoch {cursor.epoch} is gone; read again from the first epoch that is there")
                cursor = _Cursor()
            for epoch in epochs:
                if epoch.number >= cursor.epoch:
                    yield from self._epoch(epoch, cursor.commit if epoch.number == cursor.epoch else "")

    async def count(self, position: str) -> int | None:
        """How many commits there are, those that take a mail away included: git knows that number at once."""
        return await asyncio.to_thread(self._count, position)

    def _count(self, position: str) -> int:
        cursor = _Cursor.of(position)
        total = 0
        with self._epochs() as epochs:
            for epoch in epochs:
                if epoch.number >= cursor.epoch:
                    _, extent, _ = self._extent(epoch, cursor.commit if epoch.number == cursor.epoch else "")
                    total += int(self._git(epoch, "rev-list", "--count", extent)) if extent else 0
        return total

    @contextmanager
    def _epochs(self) -> Iterator[Sequence[_Epoch]]:
        """The epochs, lowest number first; a bundle is unpacked for as long as it is read."""
        if not is_bundle(self.path):
            yield self._found()
            return
        with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
            clone = Path(folder) / "0.git"
            try:
                git.run(Path(folder), "clone", "--quiet", "--mirror", str(self.path.resolve()), str(clone))
            except git.GitError as fault:
                raise FeedError(f"{self.name}: the bundle {self.path} cannot be unpacked: {fault}; {_CURE}") from None
            yield (_Epoch(0, clone),)

    def _found(self) -> Sequence[_Epoch]:
        if not self.path.exists():
            raise FeedError(
                f"{self.name}: there is no archive at {self.path}; check the path, or mirror it there first"
            )
        if epochs := epochs_in(self.path):
            return [_Epoch(number, path) for number, path in epochs]
        if is_repository(self.path):
            return (self._single(),)
        if (self.path / "git").is_dir():
            return ()  # an inbox that has had no mail yet
        raise FeedError(f"{self.name}: {self.path} is no public-inbox archive: it has no git/0.git; check the path")

    def _single(self) -> _Epoch:
        epoch = _Epoch(0, self.path)
        tip = self._tip(epoch)
        if tip and not set(self._git(epoch, "ls-tree", "--name-only", tip).split()) <= {"m", "d"}:
            raise FeedError(
                f"{self.name}: {self.path} is a git repository but no epoch of a public-inbox v2 archive; "
                "check the path, and convert an archive of version 1 with public-inbox-convert"
            )
        return epoch

    def _epoch(self, epoch: _Epoch, commit: str) -> Generator[RawMail | Unreadable, None, None]:
        tip, extent, rewritten = self._extent(epoch, commit)
        if rewritten:
            yield self._note(f"epoch {epoch.number} was rewritten, {commit[:12]} is no part of it any more")
        if not tip:
            return
        try:
            with closing(git.lines(epoch.path, "rev-list", "--reverse", extent)) as commits:
                while some := list(itertools.islice(commits, _AT_ONCE)):
                    yield from self._mails(epoch, some)
        except git.GitError as fault:
            raise FeedError(f"{self.name}: epoch {epoch.number} cannot be read: {fault}; {_CURE}") from None

    def _extent(self, epoch: _Epoch, commit: str) -> tuple[str, str, bool]:
        """The newest commit, the range of commits to read, and whether the history was rewritten below ``commit``."""
        tip = self._tip(epoch)
        if not tip or not commit:
            return tip, tip, bool(commit)
        # Prints nothing when the two have no common ancestor or the commit is gone.
        known = (self._git(epoch, "merge-base", commit, tip, yes=(0, 1, 128))).strip()
        return tip, f"{known}..{tip}" if known else tip, known != commit

    def _tip(self, epoch: _Epoch) -> str:
        """The newest commit, "" when there is none: HEAD, or the branch of a mirror that has no such HEAD."""
        if head := (self._git(epoch, "rev-parse", "-q", "--verify", "HEAD^{commit}", yes=(0, 1))).strip():
            return head
        names = self._git(epoch, "for-each-ref", "--count=1", "--format=%(objectname)", "refs/heads", "refs/remotes")
        return names.strip()

    def _git(self, epoch: _Epoch, *words: str, yes: Sequence[int] = (0,)) -> str:
        try:
            return (git.run(epoch.path, *words, yes=yes)).decode("utf-8", "replace")
        except git.GitError as fault:
            raise FeedError(
                f"{self.name}: epoch {epoch.number} at {epoch.path} cannot be read: {fault}; {_CURE}"
            ) from None

    def _mails(self, epoch: _Epoch, commits: Sequence[str]) -> Generator[RawMail | Unreadable, None, None]:
        """The mails of these commits.  An object that git chokes on costs its own mail alone."""
        broken = 0
        for commit, blob in self._blobs(epoch, commits):
            if isinstance(blob, git.GitError):
                broken += 1
                if broken == _BROKEN_IN_A_ROW:
                    raise git.GitError(f"{broken} mails in a row cannot be read: {blob}")
                position = f"{epoch.number}:{commit}"
                yield Unreadable(f"{self.name} {position}", f"git cannot read it: {blob}", _CURE, position)
            elif blob is not None:
                broken = 0
                yield from self._item(epoch, commit, blob)

    def _blobs(
        self, epoch: _Epoch, commits: Sequence[str]
    ) -> Iterator[tuple[str, bytes | git.TooBig | git.GitError | None]]:
        """For each commit its mail, its size, why it cannot be read, or None when it has none."""
        left = list(commits)
        while left:
            try:
                with git.objects(epoch.path) as objects:
                    for blob in objects.blobs([f"{commit}:m" for commit in left], self._limit):
                        damaged = blob is None and self._has_mail(epoch, left[0])
                        yield left.pop(0), git.GitError("its blob is damaged") if damaged else blob
            except git.GitError as fault:  # it broke down at this one, and starts afresh with the next
                yield left.pop(0), fault

    def _has_mail(self, epoch: _Epoch, commit: str) -> bool:
        """Whether a commit of which no blob was given has one: then the blob is damaged, else a mail was taken away."""
        return bool(git.run(epoch.path, "ls-tree", commit, "m").strip())

    def _item(self, epoch: _Epoch, commit: str, blob: bytes | git.TooBig) -> Iterator[RawMail | Unreadable]:
        position = f"{epoch.number}:{commit}"
        if isinstance(blob, git.TooBig):
            reason = f"{int(blob)} bytes, more than the {self._limit} that a mail may have"
            yield Unreadable(f"{self.name} {position}", reason, "read it by hand", position)
        elif blob.strip():  # a mail that was purged is left empty
            yield RawMail(self.name, position, blob)

    def _note(self, reason: str) -> Unreadable:
        return Unreadable(self.name, reason, "nothing to do: mail that was seen before is known by its id")


def is_bundle(path: Path) -> bool:
    """Whether the file at a path is a git bundle."""
    try:
        with path.open("rb") as file:
            return file.read(16) in _BUNDLE
    except OSError:
        return False


def is_repository(path: Path) -> bool:
    """Whether a directory is a git repository, bare or with its files checked out."""
    return (path / ".git").exists() or all((path / part).exists() for part in ("HEAD", "objects", "refs"))


def epochs_in(path: Path) -> list[tuple[int, Path]]:
    """The numbered epochs of an archive directory, lowest first: in its ``git`` directory, or in itself."""
    for folder in (path / "git", path):
        if folder.is_dir():
            found = [entry for entry in folder.glob("*.git") if entry.stem.isdigit() and is_repository(entry)]
            if found:
                return sorted((int(entry.stem), entry) for entry in found)
    return []
