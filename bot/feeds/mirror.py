"""The feed that follows a public-inbox archive on the web with git: a mirror of it is kept in a folder of ours."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import tempfile
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from pathlib import Path

from yarl import URL

from bot import git
from bot.feeds.addresses import InsideError, lookup
from bot.feeds.opening import Unpacking
from bot.feeds.public_inbox import PublicInbox
from bot.feeds.splitting import MAX_MAIL_BYTES
from bot.feeds.visitor import Manners, Visitor
from bot.model import RawMail, Unreadable
from bot.ports import FeedError

_EPOCH = re.compile(r"(.*/)(\d{1,6})(?:\.git)?/?")
_MANIFEST_BYTES = 8 << 20
_FETCH_SECONDS = 2 * 3600.0  # the first one may bring a gigabyte
_SLOW = ("http.lowSpeedLimit=100", "http.lowSpeedTime=60")  # bytes a second, for so many seconds: it hangs
_BRANCHES = "+refs/heads/*:refs/heads/*"


def list_of(url: str) -> tuple[str, int | None]:
    """The address of a list, and the epoch when only one was named: ``https://host/kvm/0`` is epoch 0 of kvm."""
    found = _EPOCH.fullmatch(url)
    return (found[1], int(found[2])) if found else (url, None)


class Mirror:
    """Mails of ``https://host/list/``, by git: exact bytes, nothing lost by an outage, and a cheap poll.

    The list's ``manifest.js.gz`` says which epochs there are and which changed; those are fetched, new ones too, and
    the mirror is then read as any archive is.  ``https://host/list/0`` is that epoch alone.  At its beginning the
    ``backlog`` newest mails are fetched (0: all).  With no folder the mirror is gone after each reading.
    """

    def __init__(
        self,
        url: str,
        manners: Manners,
        folder: Path | None = None,
        *,
        name: str = "",
        backlog: int = 0,
        limit: int = MAX_MAIL_BYTES,
    ) -> None:
        self.name = name or url
        self._home, self._only = list_of(url)
        self._home = self._home.rstrip("/") + "/"
        self._visitor = Visitor(self._home, manners, name=self.name)
        # Another list under the same name is another mirror.
        digest = hashlib.sha256(self._home.encode()).hexdigest()[:8]
        self._folder = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', self.name)[:64]}-{digest}" if folder else None
        self._manners = manners
        self._backlog = backlog
        self._limit = limit
        self._fetched: dict[int, str] = {}  # what the manifest said of each epoch when it was fetched
        self._known: tuple[Mapping[int, str], Mapping[str, str]] = (
            {},
            {},
        )  # the last manifest, and how to ask for news

    async def since(self, position: str) -> AsyncGenerator[RawMail | Unreadable, None]:
        """As in ports.Feed."""
        if self._folder is not None:
            await self._bring_up(self._folder)
            async for item in self._archive(self._folder).since(position):
                yield item
            return
        with tempfile.TemporaryDirectory(prefix="mirror-") as folder:
            self._fetched.clear()
            await self._bring_up(Path(folder))
            async for item in self._archive(Path(folder)).since(position):
                yield item

    async def count(self, position: str) -> int | None:
        if self._folder is None:
            return None  # it would have to be fetched for it
        await self._bring_up(self._folder)
        return await self._archive(self._folder).count(position)

    def _archive(self, folder: Path) -> PublicInbox:
        return PublicInbox(folder, name=self.name, limit=self._limit)

    async def _bring_up(self, folder: Path) -> None:
        """Have the mirror hold what the server has."""
        known = await self._manifest()
        try:
            (folder / "git").mkdir(parents=True, exist_ok=True)
            have = [
                int(path.stem) for path in (folder / "git").glob("*.git") if path.stem.isdigit() and _has_mail(path)
            ]
        except OSError as fault:
            raise FeedError(f"{self.name}: {folder} cannot be written: {fault}; check state.folder") from None
        if not have:
            await self._begin(folder, known)
            return
        # In order: an epoch must be whole before mail of the next is read.
        for epoch in sorted(epoch for epoch in known if epoch in have or epoch > max(have)):
            if not known[epoch] or self._fetched.get(epoch) != known[epoch]:
                await self._fetch(folder, epoch)
                self._fetched[epoch] = known[epoch]

    async def _begin(self, folder: Path, known: Mapping[int, str]) -> None:
        """Fetch the newest mails, from as many epochs as it takes; older epochs are never asked for."""
        left = self._backlog
        for epoch in sorted(known, reverse=True):
            path = await self._fetch(folder, epoch, left)
            self._fetched[epoch] = known[epoch]
            if self._backlog:
                left -= await self._commits(path)
                if left <= 0:
                    return

    async def _manifest(self) -> Mapping[int, str]:
        """The epochs that the server has, each with what changes when it does ("" when that is not known)."""
        async with self._visitor.visit() as visit:
            answer = await visit.get("manifest.js.gz", "application/", _MANIFEST_BYTES, self._known[1])
        if answer.status == 304:
            return self._known[0]
        if answer.status == 404 and self._only is not None:
            return {self._only: ""}
        if answer.status == 404:
            raise FeedError(f"{self.name}: there is no archive at {self._home}; check the path")
        try:
            table = json.loads(_unpacked(answer.body or b""))
            epochs = dict(self._epochs(table))
        except (ValueError, EOFError, zlib.error, AttributeError, RecursionError) as fault:
            raise FeedError(f"{self.name}: its manifest.js.gz makes no sense: {str(fault)[:200]}; try again") from None
        if self._only is not None:
            epochs = {self._only: epochs.get(self._only, "")}
        self._known = epochs, answer.validators
        return epochs

    def _epochs(self, table: Mapping[str, Mapping[str, object]]) -> list[tuple[int, str]]:
        # Addresses in it are not followed: an epoch is asked for by its number.
        place = re.compile(
            rf"(?:.*/)?{re.escape(URL(self._home).path.strip('/').rpartition('/')[2])}/git/(\d{{1,6}})\.git"
        )
        found = ((place.fullmatch(path), entry) for path, entry in table.items())
        return [(int(match[1]), str(entry.get("fingerprint") or "")) for match, entry in found if match]

    async def _fetch(self, folder: Path, epoch: int, depth: int = 0) -> Path:
        path = folder / "git" / f"{epoch}.git"
        await self._look_for_git(epoch)
        try:
            if not _has_mail(path):  # to do it again changes nothing, and an earlier one may have been cut off
                await git.work(folder, "init", "--quiet", "--bare", "--initial-branch=master", str(path))
            await asyncio.to_thread(_unlock, path)
            asking = [*await self._words(), "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"]
            address = f"{self._home}{epoch}"
            if not depth and (path / "shallow").exists() and not await self._goes_on(path, asking, address):
                await self._fetch_rewritten(path, asking, address)
            else:
                shallow = [f"--depth={depth}"] if depth else []
                await git.work(path, *asking, *shallow, address, _BRANCHES, within=_FETCH_SECONDS)
        except (git.GitError, OSError) as fault:
            cure = f"if it goes on, remove {folder}: it is mirrored anew"
            raise FeedError(f"{self.name}: epoch {epoch} cannot be fetched: {fault}; {cure}") from None
        return path

    async def _look_for_git(self, epoch: int) -> None:
        """Git takes a web page for an archive without mail, so it is asked for only where git answers."""
        async with self._visitor.visit() as visit:
            asked = f"{epoch}/info/refs?service=git-upload-pack"
            answer = await visit.get(asked, "application/x-git-upload-pack-advertisement", _MANIFEST_BYTES)
        if answer.status == 404:
            raise FeedError(f"{self.name}: there is no epoch {epoch} at {self._home}; check the address")

    async def _goes_on(self, path: Path, asking: list[str], address: str) -> bool:
        """Whether the server still has our newest commit."""
        tip = await _tip(path)
        with suppress(git.GitError):
            return (
                tip in (await git.work(path, *asking, "--negotiate-only", f"--negotiation-tip={tip}", address)).split()
            )
        return False

    async def _fetch_rewritten(self, path: Path, asking: list[str], address: str) -> None:
        """Fetch as many commits of a new history as we had of the old one, and more until they meet in time.

        A mail was purged, perhaps from before what we have: a plain fetch would bring the whole epoch, and mail from
        before our beginning with it.
        """
        newest = int(await git.work(path, "log", "-1", "--format=%ct", await _tip(path)))
        depth = await self._commits(path)
        while True:
            await git.work(path, *asking, f"--depth={depth}", address, _BRANCHES, within=_FETCH_SECONDS)
            oldest = (await git.work(path, "log", "--max-parents=0", "--format=%ct", "--branches")).split()
            if not (path / "shallow").exists() or min(map(int, oldest), default=0) <= newest:
                return
            depth *= 2

    async def _commits(self, path: Path) -> int:
        try:
            return int(await git.work(path, "rev-list", "--count", "--all"))
        except git.GitError as fault:
            raise FeedError(f"{self.name}: {path} cannot be read: {fault}; remove it: it is mirrored anew") from None

    async def _words(self) -> list[str]:
        """How git is to ask: as the other feeds do, nowhere else, and not for ever.  Raises FeedError."""
        url = URL(self._home)
        host, port = str(url.host), url.port or 443
        try:
            addresses = [f"[{address}]" if ":" in address else address for _, address in await lookup(host, port)]
        except InsideError as fault:
            raise FeedError(f"{self.name}: {fault}") from None
        settings = (
            f"http.userAgent={self._manners.user_agent}",
            *([f"http.curloptResolve={host}:{port}:{','.join(dict.fromkeys(addresses))}"] if ":" not in host else []),
            "http.followRedirects=false",
            "http.proxy=",
            "credential.helper=",
            "protocol.allow=never",
            f"protocol.{url.scheme}.allow=always",
            "gc.autoDetach=false",
            *_SLOW,
        )
        return [word for setting in settings for word in ("-c", setting)]


async def _tip(path: Path) -> str:
    return (await git.work(path, "for-each-ref", "--count=1", "--format=%(objectname)", "refs/heads")).strip()


def _has_mail(path: Path) -> bool:
    """Whether something was ever fetched; an epoch whose first fetch was cut off begins anew."""
    return any((path / "refs" / "heads").glob("*")) or (path / "packed-refs").exists()


def _unlock(path: Path) -> None:
    """Take away what a git that was killed has left: nobody else works here."""
    for lock in (*path.glob("*.lock"), *path.glob("refs/heads/*.lock")):
        lock.unlink(missing_ok=True)


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    with Unpacking(io.BytesIO(body), _MANIFEST_BYTES) as stream:
        parts = []
        while part := stream.read1(1 << 16):
            parts.append(part)
    return b"".join(parts)
