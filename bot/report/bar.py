"""The bar of a channel: how serious and how certain a finding must be to be said there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.model import Finding, Level

_RANK = {Level.NOTE: 0, Level.WARNING: 1, Level.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Bar:
    """The lowest level and the least confidence that a channel wants to hear of.

    A note never passes, whatever ``level`` says: notes are for those who ask.
    """

    level: Level = Level.WARNING
    confidence: float = 0.6

    def admits(self, finding: Finding) -> bool:
        return (
            finding.level is not Level.NOTE
            and _RANK[finding.level] >= _RANK[self.level]
            and finding.confidence >= self.confidence
        )

    def over(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings that pass, in their order."""
        return tuple(finding for finding in findings if self.admits(finding))


USUAL = Bar()


def worst(findings: Iterable[Finding]) -> Level | None:
    """The most serious level among the findings, None when there are none."""
    return max((finding.level for finding in findings), key=_RANK.__getitem__, default=None)
