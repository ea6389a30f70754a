"""All that is known of one thread: its versions, what was found in each, what people said, and what became of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.model import Context, Finding, Review, Series, Triage

_RANK = {Context.HUNK: 0, Context.NEAR: 1, Context.FILE: 2, Context.TREE: 3}


class Phase(enum.StrEnum):
    """Where a finding is in its life."""

    NEW = "new"
    OPEN = "still open"
    AGAIN = "back again"
    FIXED = "fixed"
    UNSEEN = "not seen again"  # but less was looked at than when it was found


@dataclass(frozen=True, slots=True)
class Standing:
    """One finding across the versions of a series.

    ``finding`` is how it was last seen, in version ``seen_in``.  ``since`` is the first version of its last unbroken
    run; ``first`` the very first.  ``gone_in`` is the version that no longer had it, 0 while it is there.
    """

    finding: Finding
    seen_in: Series
    first: int
    since: int
    phase: Phase
    gone_in: int = 0

    @property
    def is_open(self) -> bool:
        return not self.gone_in


@dataclass(frozen=True, slots=True)
class Story:
    """A thread.  ``versions`` are its series, the oldest first; ``reviews`` those that there are, by key of series."""

    versions: tuple[Series, ...]
    reviews: Mapping[str, Review] = field(default_factory=dict)
    verdicts: Mapping[str, Triage] = field(default_factory=dict)

    @property
    def reviewed(self) -> dict[int, Series]:
        """The reviewed series by version; of two with one number the later."""
        return {one.version: one for one in self.versions if one.key in self.reviews}

    @property
    def now(self) -> Series | None:
        """The newest version that was reviewed."""
        reviewed = self.reviewed
        return reviewed[max(reviewed)] if reviewed else None

    def findings(self) -> dict[int, tuple[Finding, ...]]:
        """What was found in each reviewed version; a version in which nothing was found is there with nothing."""
        found: dict[int, tuple[Finding, ...]] = {}
        for series in self.versions:
            if series.key in self.reviews:
                found[series.version] = found.get(series.version, ()) + self.reviews[series.key].findings
        return found


def standings(story: Story) -> dict[str, Standing]:
    """Every finding that any version had, by fingerprint."""
    result: dict[str, Standing] = {}
    found = story.findings()
    versions = story.reviewed
    for version in sorted(found):
        present = {finding.fingerprint: finding for finding in found[version]}
        for name, finding in present.items():
            result[name] = _seen(result.get(name), finding, versions[version])
        for name, before in result.items():
            if name not in present and before.is_open:
                result[name] = _missed(before, versions[version], story.reviews[versions[version].key])
    return result


def _seen(before: Standing | None, finding: Finding, series: Series) -> Standing:
    if before is None:
        return Standing(finding, series, series.version, series.version, Phase.NEW)
    if before.phase is Phase.FIXED:
        return Standing(finding, series, before.first, series.version, Phase.AGAIN)
    return Standing(finding, series, before.first, before.since, Phase.OPEN)


def _missed(before: Standing, series: Series, review: Review) -> Standing:
    phase = Phase.FIXED if can_tell(series, review, (before.finding,)) else Phase.UNSEEN
    return Standing(before.finding, before.seen_in, before.first, before.since, phase, series.version)


def can_tell(series: Series, review: Review, gone: Sequence[Finding]) -> bool:
    """Whether silence about former findings means anything: as much was looked at as when they were found."""
    return not series.missing and all(_RANK[review.context] >= _RANK[finding.context] for finding in gone)
