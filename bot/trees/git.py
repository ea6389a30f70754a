"""The tree that is a revision of a git repository."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bot import git
from bot.model import Answer, Wanted
from bot.ports import TreeError
from bot.trees.index import Index
from bot.trees.outlines import decoded, outlines
from bot.trees.scope import Scope, by_folder, is_inside, is_source
from bot.trees.search import MAX_FILE_BYTES, Search

_ID = re.compile(r"[0-9a-f]{7,64}\Z")


class GitTree:
    """Sources at a revision.

    A blob that the diff names is taken before the revision's own file: it is what the patch was made for.
    """

    def __init__(self, path: Path, rev: str = "HEAD", index: Index | None = None) -> None:
        """Raises TreeError when there is no such repository or no such revision in it."""
        self.path = path.expanduser().resolve()
        self.rev = rev
        self._listed = ""  # the commit that the files below are of
        self._ids: dict[str, str] = {}
        self._scope = Scope({})
        self.index = index or Index()
        self._lock = threading.Lock()  # answers are made in threads
        self.name = self._named(self._commit())

    async def answer(self, wanted: Wanted) -> Answer:
        return await asyncio.to_thread(self._answer, wanted)

    def _answer(self, wanted: Wanted) -> Answer:
        try:
            own = self._commit()
            self.name = self._named(own)
            commit = self._known(wanted.base_commit) or own
            with self._lock, git.objects(self.path) as objects:
                notes = [f"read at {commit[:12]}, the base-commit that the series names"] if commit != own else []
                found = _files(objects, commit, wanted.files, notes)
                search = Search(wanted)
                if search:
                    ids = self._list(commit)
                    near = self._scope.nearest(wanted.near)
                    for path in search.found(self.index, lambda: self._numbered(objects, ids, near)):
                        if path not in found:
                            found[path] = _blob(objects, ids[path])
            texts = {path: None if data is None else decoded(data) for path, data in found.items()}
            sources = {path: data for path, data in found.items() if data is not None and is_source(path)}
            return Answer(texts, (*notes, *search.notes()), outlines(self.index, sources))
        except git.GitError as fault:
            raise TreeError(f"tree {self.path}: git cannot read it: {fault}; check it with git fsck") from None

    def _commit(self) -> str:
        if not self.path.is_dir():
            raise TreeError(f"tree {self.path}: there is no such directory; name a git repository of the kernel")
        if self.rev.startswith("-"):
            raise TreeError(f"tree {self.path}: {self.rev!r} is no revision; name a tag, a branch or a commit")
        try:
            found = git.run(self.path, "rev-parse", "-q", "--verify", f"{self.rev}^{{commit}}", yes=(0, 1))
        except git.GitError as fault:
            raise TreeError(f"tree {self.path}: {fault}; name a git repository of the kernel") from None
        if not found.strip():
            raise TreeError(f"tree {self.path}: it has no revision {self.rev!r}; fetch it, or name another")
        return found.decode("ascii").strip()

    def _known(self, base_commit: str) -> str:
        """The commit that a series says it was made for, "" when it is not here."""
        if not _ID.match(base_commit):
            return ""
        found = git.run(self.path, "rev-parse", "-q", "--verify", f"{base_commit}^{{commit}}", yes=(0, 1, 128))
        commit = found.decode("ascii", "replace").strip()
        return commit if commit.startswith(base_commit) else ""  # else a branch or tag of that name

    def _named(self, commit: str) -> str:
        rev = "" if self.rev == "HEAD" or commit.startswith(self.rev) else f"{self.rev}, "
        return f"{self.path.name.removesuffix('.git')} at {rev}{commit[:12]}"

    def _list(self, commit: str) -> dict[str, str]:
        """The source files of a commit and their blobs; remembered, since it is asked again for every series."""
        if self._listed != commit:
            output = self.index.listing(f"commit {commit}")
            if output is None:
                output = git.run(self.path, "ls-tree", "-r", "-z", "--full-tree", commit)
                output = b"\0".join(entry for entry in output.split(b"\0") if entry.endswith((b".c", b".h")))
                self.index.keep_listing(f"commit {commit}", output)
            entries = (entry.partition("\t") for entry in output.decode("utf-8", "surrogateescape").split("\0"))
            self._ids = {
                path: words.split(" ")[2] for words, _, path in entries if words[:3] == "100" and is_source(path)
            }
            self._scope, self._listed = Scope(by_folder(self._ids)), commit
        return self._ids

    def _numbered(self, objects: git.Objects, ids: Mapping[str, str], paths: Sequence[str]) -> list[tuple[str, int]]:
        """The files with their numbers in the index; blobs that were never seen are read."""
        numbers = self.index.numbers()
        new = list(dict.fromkeys(ids[path] for path in paths if ids[path] not in numbers))
        if new:
            read = objects.blobs(new, MAX_FILE_BYTES)
            pairs = zip(new, read, strict=True)
            self.index.learn((blob, data if isinstance(data, bytes) else b"") for blob, data in pairs)
            numbers = self.index.numbers()
        return [(path, numbers[ids[path]]) for path in paths if ids[path] in numbers]

    def scope(self) -> Scope:
        """The source files of the revision.  Raises TreeError."""
        try:
            self._list(self._commit())
        except git.GitError as fault:
            raise TreeError(f"tree {self.path}: git cannot read it: {fault}; check it with git fsck") from None
        return self._scope

    def sources(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of source files of the revision; those that cannot be read or are too large are passed over."""
        with git.objects(self.path) as objects:
            for path, data in zip(
                paths, objects.blobs([self._ids[path] for path in paths], MAX_FILE_BYTES), strict=True
            ):
                if isinstance(data, bytes):
                    yield path, data

    def learn(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Take the words of source files of the revision into the index; the blob of each."""
        with self._lock, git.objects(self.path) as objects:
            self._numbered(objects, self._ids, paths)
        return {path: self._ids[path] for path in paths}


def _files(
    objects: git.Objects, commit: str, files: Sequence[tuple[str, str]], notes: list[str]
) -> dict[str, bytes | None]:
    """The wanted files: the diff's blob, or else what the commit has at that path."""
    found: dict[str, bytes | None] = {path: None for path, _ in files}
    notes += [f"{path[:200]!r} lies outside the tree: not read" for path in found if not is_inside(path)]
    plain = [(path, blob) for path, blob in files if is_inside(path)]
    blobs = objects.blobs([blob if _ID.match(blob) else "missing" for _, blob in plain], MAX_FILE_BYTES)
    named = dict(zip(plain, list(blobs), strict=True))
    own = objects.blobs([f"{commit}:{path}" for path, _ in plain], MAX_FILE_BYTES)
    for (path, blob), data in zip(plain, list(own), strict=True):
        best = named[path, blob] if named[path, blob] is not None else data
        if isinstance(best, git.TooBig):
            notes.append(f"{path} is larger than {MAX_FILE_BYTES} bytes: not read")
        found[path] = best if isinstance(best, bytes) else None
    return found


def _blob(objects: git.Objects, name: str) -> bytes | None:
    (data,) = objects.blobs((name,), MAX_FILE_BYTES)
    return data if isinstance(data, bytes) else None
