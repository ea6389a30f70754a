"""Tells from an address, or from what is at a path, which feed reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from bot.feeds.directory import Directory
from bot.feeds.files import STANDARD_INPUT, Files
from bot.feeds.lore import Lore
from bot.feeds.mbox import Mbox
from bot.feeds.mirror import Mirror, list_of
from bot.feeds.nntp import Nntp
from bot.feeds.opening import holds_mbox
from bot.feeds.public_inbox import PublicInbox, epochs_in, is_bundle, is_repository
from bot.feeds.search import Search
from bot.feeds.threads import Thread, Threads, elsewhere
from bot.feeds.visitor import Manners
from bot.ports import Feed, FeedError

_KINDS: dict[str, type[Mbox] | type[Directory] | type[PublicInbox]] = {
    "mbox": Mbox,
    "directory": Directory,
    "public-inbox": PublicInbox,
}
_ADDRESS = re.compile(r"([a-z+]+)://")
_MESSAGE_ID = re.compile(r"(?:<|id:|mid:)?[^\s<>@/]{1,500}@[^\s<>@]{1,250}>?")


@dataclass(frozen=True, slots=True)
class Web:
    """What may be read over the network, and how: ``homes`` are the addresses of the configured lists, nothing else."""

    homes: Sequence[str]
    manners: Manners


def feed_for(path: str, name: str = "", kind: str = "auto") -> Feed:
    """The feed that reads this place: an archive, a bundle, a directory, an mbox, or one mail (``-``: piped in).

    ``name`` is what cursors are kept under, the path by default.  A ``kind`` (mbox, directory, public-inbox) is taken
    at its word, and its place may come into being later.  Raises FeedError when there is nothing to read.
    """
    name = name or path
    if kind in _KINDS:
        return _KINDS[kind](Path(path).expanduser(), name=name)
    if path == STANDARD_INPUT:
        return Files((path,), name=name)
    if _ADDRESS.match(path):
        raise FeedError(f"{path}: is an address; mirror the archive with git clone --mirror, and name the copy")
    place = Path(path).expanduser()
    if not place.exists():
        raise FeedError(f"{path}: there is no such file or directory; check the path")
    if place.is_dir():
        if epochs_in(place) or is_repository(place) or (place / "inbox.lock").exists():
            return PublicInbox(place, name=name)
        return Directory(place, name=name)
    if is_bundle(place):
        return PublicInbox(place, name=name)
    if holds_mbox(place):
        return Mbox(place, name=name)
    return Files((str(place),), name=name)


def feed_at(
    address: str,
    manners: Manners,
    *,
    name: str = "",
    kind: str = "auto",
    backlog: int = 0,
    mirrors: Path | None = None,
) -> Feed:
    """The feed that reads an address: a newsgroup, or a list of a public-inbox on the web.

    Of the kind public-inbox, or when the address names an epoch, it is mirrored by git, in a folder of its own in
    ``mirrors``.  Keep it from poll to poll: it remembers when a server wants to be left alone.  Raises FeedError.
    """
    scheme = found[1] if (found := _ADDRESS.match(address)) else ""
    if scheme in {"nntp", "nntps"}:
        return Nntp(address, name=name, backlog=backlog)
    if scheme in {"http", "https"} and (kind == "public-inbox" or list_of(address)[1] is not None):
        return Mirror(address, manners, mirrors, name=name, backlog=backlog)
    if scheme in {"http", "https"}:
        return Lore(address, manners, name=name, backlog=backlog)
    raise FeedError(
        f"{name or address}: {address[:200]!r} cannot be read; write https://host/list/ or nntps://host/group"
    )


def feed_named(place: str, web: Callable[[], Web]) -> Feed:
    """The feed of whatever a person names: a path, a Message-ID, the address of a list, a thread or a search.

    ``web`` is asked for only when the network is needed.  Raises FeedError, also for a server that is not configured.
    """
    address = bool(_ADDRESS.match(place))
    if not address and (not _MESSAGE_ID.fullmatch(place) or Path(place).exists()):
        return feed_for(place)
    known = web()
    lists = [home for home in known.homes if home.startswith("http")]
    if not address:
        return Thread(place, Threads(lists, known.manners))
    if place.startswith(("nntp://", "nntps://")):
        if _host(place) not in {_host(home) for home in known.homes}:
            raise elsewhere(place, known.homes)
        return Nntp(place)
    return _on_the_web(place, lists, known.manners)


def _on_the_web(place: str, lists: Sequence[str], manners: Manners) -> Feed:
    try:
        url = URL(place, encoded=True)
        configured = url.origin() in {URL(home).origin() for home in lists}
    except ValueError:
        raise FeedError(f"{place[:200]!r}: is no address; copy it from the archive") from None
    if not configured:
        raise elsewhere(place, lists)
    if "q" in url.query:
        return Search(place, manners)
    if "@" in url.path:
        return Thread(place, Threads(lists, manners))
    if list_of(url.path)[1] is not None:
        return Mirror(place, manners)
    return Lore(str(url.with_query(None).with_fragment(None)), manners, name=place)


def _host(address: str) -> str:
    try:
        return URL(address, encoded=True).host or ""
    except ValueError:
        return ""
