"""What a review on the command line says: the pages of one series, and the closing table of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.model import Fields, Page, Quiet, Review, Scan, Series, Text
from bot.report import links, warning
from bot.report.bar import worst
from bot.report.card import count, diffstat, notes, scanned
from bot.report.text import one_line

_MOST_QUIET = 20


def of_series(series: Series, review: Review) -> tuple[Page, ...]:
    """The pages of one reviewed series: what it is and how much was looked at, then a page for each faulty object."""
    title = one_line(series.title, 200) or "(no subject)"
    version = f" v{series.version}" if series.version > 1 else ""
    found = count(len(review.findings), "finding") if review.findings else "nothing found"
    said = [Text(f"{found} · {diffstat(series)}"), Text(scanned(review), quiet=True)]
    said += [Text(note, quiet=True) for note in notes(series, review)]
    said += [Text(f"quiet: {one_line(quiet.reason, 200)} ({quiet.rule})", quiet=True) for quiet in _excused(review)]
    head = Page(f"{title}{version}, {one_line(series.author.name, 80)}", links.of_series(series), parts=tuple(said))
    return (head, *(warning.page(series, group, review.base) for group in warning.by_object(review.findings)))


def one_page(series: Series, review: Review) -> Page:
    """The same on a single page, for an answer in chat."""
    head, *faults = of_series(series, review)
    parts = [part for fault in faults for part in (Text(f"{fault.level}: {fault.headline}"), *fault.parts)]
    return replace(head, level=worst(review.findings), parts=(*head.parts, *parts))


def _excused(review: Review) -> list[Quiet]:
    """Places that were excused and are not shown with a finding already, nor among the notes."""
    shown = {item.note for finding in review.findings for item in finding.evidence if item.note}
    return [
        quiet
        for quiet in review.quiet
        if ": fixed in " not in quiet.reason and not any(quiet.reason.endswith(note) for note in shown)
    ][:_MOST_QUIET]


def closing(scan: Scan, by_rule: Mapping[str, int], rate: float = 0) -> Page:
    """The table at the end of a run: how much was read, what was found, how many messages in a second (0: not said)."""
    pairs = [
        ("messages", f"{scan.messages:,}"),
        ("patches", f"{scan.patches:,}"),
        ("series", f"{scan.series:,}"),
        ("functions", f"{scan.functions:,}"),
        ("unreadable", f"{len(scan.unreadable):,}"),
        ("findings", f"{sum(by_rule.values()):,}"),
    ]
    pairs += [(f"  {rule}", f"{number:,}") for rule, number in sorted(by_rule.items(), key=lambda x: (-x[1], x[0]))]
    if rate > 0:
        pairs.append(("rate", f"{rate:,.0f} messages/s"))
    return Page("Looked at", parts=(Fields(tuple(pairs)),))
