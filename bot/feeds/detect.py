"""Tells from an address, or from what is at a path, which feed reads it."""

from __future__ import annotations

import re
from pathlib import Path

from bot.feeds.directory import Directory
from bot.feeds.files import STANDARD_INPUT, Files
from bot.feeds.lore import Lore
from bot.feeds.mbox import Mbox
from bot.feeds.nntp import Nntp
from bot.feeds.opening import holds_mbox
from bot.feeds.public_inbox import PublicInbox, epochs_in, is_bundle, is_repository
from bot.feeds.visitor import Manners
from bot.ports import Feed, FeedError

_KINDS: dict[str, type[Mbox] | type[Directory] | type[PublicInbox]] = {
    "mbox": Mbox,
    "directory": Directory,
    "public-inbox": PublicInbox,
}
_ADDRESS = re.compile(r"([a-z+]+)://")


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


def feed_at(address: str, manners: Manners, *, name: str = "", backlog: int = 0) -> Feed:
    """The feed that reads an address: a newsgroup, or a list of a public-inbox on the web.

    Keep it from poll to poll: it remembers when a server wants to be left alone.  Raises FeedError.
    """
    scheme = found[1] if (found := _ADDRESS.match(address)) else ""
    if scheme in {"nntp", "nntps"}:
        return Nntp(address, name=name, backlog=backlog)
    if scheme in {"http", "https"}:
        return Lore(address, manners, name=name, backlog=backlog)
    raise FeedError(
        f"{name or address}: {address[:200]!r} cannot be read; write https://host/list/ or nntps://host/group"
    )
