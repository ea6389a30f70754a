"""From a reviewed series to what a channel is told: a card with replies below it, or nothing and the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.model import Alert, Finding, Life, Page, Quiet, Review, Series, SeriesState, Text
from bot.report import warning
from bot.report.bar import USUAL, Bar
from bot.report.card import card

_MOST_REPLIES = 10


def compose(
    series: Series,
    review: Review,
    life: Life,
    versions: Sequence[Series] = (),
    bar: Bar = USUAL,
    *,
    followed: bool = False,
) -> Alert | Quiet:
    """Say what a channel with this bar is told of a series.

    ``versions`` are all versions of the thread.  ``followed``: the channel has a card of an earlier version, which is
    then edited even when there is nothing left to warn of.  Without one, a series in which nothing passes the bar is
    quiet.
    """
    newer = max((one.version for one in versions if one.state is SeriesState.REVIEWED), default=0)
    if newer > series.version:
        return Quiet("", f"v{newer} was reviewed before v{series.version} settled")
    heard = Life(bar.over(life.new), bar.over(life.still_open), bar.over(life.fixed), bar.over(life.again))
    if not followed and not any((heard.new, heard.still_open, heard.fixed, heard.again)):
        return Quiet("", _why_quiet(review))
    replies = (
        *_replies(series, heard.new, review.base),
        *_replies(series, heard.again, review.base, f"@v{series.version}"),
    )
    return Alert(series.thread, card(series, review, heard, versions), replies)


def _why_quiet(review: Review) -> str:
    if not review.findings:
        return "nothing found"
    return f"{len(review.findings)} found, none above the bar of the channel"


def _replies(series: Series, findings: Sequence[Finding], base: str, again: str = "") -> Iterator[tuple[str, Page]]:
    """One page for each object.  What comes back in a later version is told again, so its name carries the version."""
    groups = warning.by_object(findings)
    for group in groups[:_MOST_REPLIES]:
        name = min(finding.fingerprint for finding in group)
        yield name + again, warning.page(series, group, base)
    if rest := groups[_MOST_REPLIES:]:
        objects = ", ".join(group[0].subject for group in rest)
        name = min(finding.fingerprint for group in rest for finding in group)
        yield f"{name}{again}+", Page(f"… and {len(rest)} more objects", parts=(Text(objects[:1000]),))
