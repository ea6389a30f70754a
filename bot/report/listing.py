"""Lists of findings: a line for each, with its name, its place and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.model import Fields, Finding, Page, Text
from bot.report import links, warning
from bot.report.alert import View, heard
from bot.report.bar import Bar, worst
from bot.report.card import count
from bot.report.fault import short
from bot.report.merge import of as merged
from bot.report.story import Story
from bot.report.text import one_line

_MOST = 20


def of_open(stories: Sequence[Story], bar: Bar) -> Page:
    """The open findings of many series, one paragraph for each series."""
    parts: list[Text | Fields] = []
    findings: list[Finding] = []
    for story in stories:
        there = heard(story, View(bar=bar)).open
        if not there:
            continue
        findings += there
        if len(parts) < 2 * _MOST:
            parts += [Text(_title(story)), Fields(tuple(_pairs(there)))]
    if not findings:
        return Page("Nothing is open")
    shown = len(parts) // 2
    series = sum(1 for story in stories if heard(story, View(bar=bar)).open)
    if series > shown:
        parts.append(Text(f"… and {series - shown} more series", quiet=True))
    headline = f"{count(len(_objects(findings)), 'open finding')} in {count(series, 'series', 'series')}"
    return Page(headline, level=worst(findings), parts=tuple(parts))


def _title(story: Story) -> str:
    series = story.now
    if series is None:
        return ""
    taken = ", merged" if merged(story.versions) else ""
    who = one_line(series.author.name or series.author.email, 60)
    return f"{one_line(series.title, 120)} v{series.version}{taken}, by {who}, {links.of_series(series)}"


def _pairs(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [
        (short(min(one.fingerprint for one in group)), f"{group[0].level}: {one_line(group[0].text, 120)}")
        for group in warning.by_object(findings)
    ]


def _objects(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    return {(one.introduced_by, one.subject) for one in findings}
