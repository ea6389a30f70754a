"""The verdict on a series in two lines, for a link that somebody pasted."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Finding, Page, Series, Text
from bot.report import links, merge
from bot.report.alert import View, heard
from bot.report.bar import worst
from bot.report.card import count
from bot.report.story import Story
from bot.report.text import one_line


def page(story: Story, series: Series) -> Page:
    """What is open in the newest reviewed version; ``series`` is the version that the link names."""
    now = story.now
    if now is None or (series.key not in story.reviews and series.version >= now.version):
        return _page(series, "not reviewed yet", ())
    life = heard(story, View())
    found = f"{count(len(life.open), 'finding')}: {_objects(life.open)}" if life.open else "nothing found"
    if life.dismissed:
        found += f"; {len(life.dismissed)} dismissed: {_objects(life.dismissed)}"
    if taken := merge.of(story.versions):
        found += f"; merged: {taken.who}"
    newer = f"v{now.version}, which is newer: " if now.version > series.version else ""
    return _page(series, f"{newer}{found}", life.open)


def _objects(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(one_line(finding.subject, 60) for finding in findings))


def _page(series: Series, said: str, findings: Sequence[Finding]) -> Page:
    title = f"{one_line(series.title, 200) or '(no subject)'} v{series.version}"
    return Page(title, links.of_series(series), worst(findings), (Text(one_line(said, 500)),))
