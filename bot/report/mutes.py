"""What a mute silences."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from bot.model import Finding, Mute, MuteKind, Series


def muted(mutes: Iterable[Mute], finding: Finding, series: Series) -> bool:
    """Does one of the mutes silence this finding of this series?"""
    return any(_silences(mute, finding, series) for mute in mutes)


def _silences(mute: Mute, finding: Finding, series: Series) -> bool:
    match mute.kind:
        case MuteKind.RULE:
            return finding.rule == mute.pattern
        case MuteKind.PATH:
            return matches(mute.pattern, finding.path)
        case MuteKind.AUTHOR:
            return mute.pattern.casefold() in f"{series.author.name} <{series.author.email}>".casefold()
        case MuteKind.SERIES:
            return series.thread == mute.pattern


def matches(glob: str, path: str) -> bool:
    """A glob as people write it: ``arch/x86/kvm`` and ``arch/x86/kvm/`` are everything below, ``*`` crosses slashes."""
    plain = glob.rstrip("/")
    return fnmatchcase(path, glob) or path == plain or path.startswith(f"{plain}/") or fnmatchcase(path, f"{plain}/*")
