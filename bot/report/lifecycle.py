"""What became of each finding from one version of a series to the next: new, still open, fixed, back again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bot.model import Finding, Life

History = Mapping[int, Sequence[Finding]]


def history(reviewed: Iterable[int], findings: Iterable[tuple[int, Finding]], before: int) -> dict[int, list[Finding]]:
    """The findings of each reviewed version below ``before``.

    A version in which nothing was found is there with nothing: that is how "fixed, and back again" is known.
    """
    told: dict[int, list[Finding]] = {version: [] for version in sorted(reviewed) if version < before}
    for version, finding in findings:
        if version < before:
            told.setdefault(version, []).append(finding)
    return told


def join(previous: History, current: Sequence[Finding]) -> Life:
    """Join this version's findings with those of the versions before it, by fingerprint.

    To speak of what a channel was told, pass both through its bar first: a finding that was below the bar in v1 and is
    above it in v2 is then new, as it is to the reader.
    """
    last = previous[max(previous)] if previous else ()
    open_before = {finding.fingerprint for finding in last}
    ever = {finding.fingerprint for findings in previous.values() for finding in findings}
    now = {finding.fingerprint for finding in current}
    return Life(
        new=tuple(finding for finding in current if finding.fingerprint not in ever),
        still_open=tuple(finding for finding in current if finding.fingerprint in open_before),
        fixed=tuple(finding for finding in last if finding.fingerprint not in now),
        again=tuple(finding for finding in current if finding.fingerprint in ever - open_before),
    )
