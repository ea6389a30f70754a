"""Tells from what is at a path, and whether a revision is named, which tree reads it."""

from __future__ import annotations

from pathlib import Path

from bot.ports import TreeError
from bot.trees.directory import Directory
from bot.trees.git import GitTree
from bot.trees.index import Index
from bot.trees.none import NoTree


def tree_for(path: str, rev: str = "", index: Index | None = None) -> Directory | GitTree | NoTree:
    """The tree at a path: a git repository when a revision is named or nothing is checked out, else the directory.

    No path, no tree.  ``index``: where what is known of trees is kept; in memory when None.
    Raises TreeError with the cure.
    """
    if not path:
        if rev:
            raise TreeError(f"revision {rev!r} without a tree; name the git repository too")
        return NoTree()
    place = Path(path).expanduser()
    bare = all((place / part).exists() for part in ("HEAD", "objects", "refs"))
    if rev or bare:
        return GitTree(place, rev or "HEAD", index)
    return Directory(place, index)
