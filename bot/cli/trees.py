"""The tree that a command is given, with the index that the settings name."""

from __future__ import annotations

from pathlib import Path

from bot.ports import TreeError
from bot.trees.detect import tree_for
from bot.trees.directory import Directory
from bot.trees.git import GitTree
from bot.trees.index import Index
from bot.trees.none import NoTree
from config.settings import Settings, SettingsError, load


def index_of(settings: Settings) -> Index:
    return Index(settings.index_folder, settings.tree.index_bytes)


def tree_at(path: str, rev: str, config: Path | None = None) -> Directory | GitTree | NoTree:
    """The tree at a path, no tree for no path.  Raises TreeError."""
    if not path:
        return tree_for(path, rev)
    try:
        return tree_for(path, rev, index_of(load(config)))
    except SettingsError as fault:
        raise TreeError(str(fault)) from None


def directory_at(path: Path) -> Directory:
    """A directory of sources.  Raises TreeError."""
    try:
        return Directory(path, index_of(load()))
    except SettingsError as fault:
        raise TreeError(str(fault)) from None
