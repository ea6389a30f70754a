"""The digest of a channel: what came in, what is open, what was told to nobody, and how rules fare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bot.model import Chart, Fields, Finding, Page, Series, Text
from bot.report import links, warning
from bot.report.bar import Bar
from bot.report.card import count
from bot.report.fault import short
from bot.report.precision import Precision
from bot.report.text import one_line

_MOST = 10
_MOST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Days:
    """What a digest is made of.

    ``reviewed`` are series that settled in its time, each with the moment and its findings; ``open_now`` what is open
    of any series; ``demoted`` the rules that speak here alone.
    """

    start: datetime
    end: datetime
    reviewed: Sequence[tuple[datetime, Series, tuple[Finding, ...]]]
    open_now: Sequence[Finding] = ()
    demoted: Mapping[str, Precision] | None = None


def page(days: Days, bar: Bar, name: str) -> Page:
    """``name`` says which digest it is: "2026-11-23"."""
    told = [(series, _heard(days, found, bar)) for _, series, found in days.reviewed]
    held = [(series, _held(days, found, bar)) for _, series, found in days.reviewed]
    scanned = count(len(told), "series", "series")
    faults = sum(len(warning.by_object(found)) for _, found in told)
    parts: list[Text | Fields] = [Text(f"{scanned} reviewed, {count(faults, 'finding')}.")]
    parts += _listed("Found", told)
    parts += _listed("Told here alone: the rule is often wrong", held)
    if days.open_now:
        parts.append(Text(f"Still open: {_objects(days.open_now)}"))
    if days.demoted:
        pairs = tuple((rule, str(figures)) for rule, figures in sorted(days.demoted.items()))
        parts += [Text("Rules that speak in the digest alone"), Fields(pairs)]
    return Page(f"gracewatch digest, {name}", parts=tuple(parts), chart=_chart(days, bar))


def _heard(days: Days, findings: Iterable[Finding], bar: Bar) -> tuple[Finding, ...]:
    return tuple(one for one in bar.over(findings) if one.rule not in (days.demoted or {}))


def _held(days: Days, findings: Iterable[Finding], bar: Bar) -> tuple[Finding, ...]:
    return tuple(one for one in bar.over(findings) if one.rule in (days.demoted or {}))


def _listed(title: str, found: Iterable[tuple[Series, Sequence[Finding]]]) -> list[Text | Fields]:
    lines = [(series, group) for series, findings in found for group in warning.by_object(findings)]
    if not lines:
        return []
    pairs = [
        (short(min(one.fingerprint for one in group)), f"{one_line(group[0].text, 120)}: {_series(series)}")
        for series, group in lines[:_MOST]
    ]
    if len(lines) > _MOST:
        pairs.append(("…", f"and {len(lines) - _MOST} more; `open` shows them"))
    return [Text(title), Fields(tuple(pairs))]


def _series(series: Series) -> str:
    return f"{one_line(series.title, 100)} v{series.version}, {links.of_series(series)}"


def _objects(findings: Sequence[Finding]) -> str:
    names = Counter(one_line(group[0].subject, 60) for group in warning.by_object(findings))
    more = f", … and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(list(names)[:_MOST]) + more


def _chart(days: Days, bar: Bar) -> Chart:
    """A column for each day: series with findings, and those without."""
    length = min(max((days.end - days.start).days, 1), _MOST_DAYS)
    columns = [days.end - timedelta(days=length - number) for number in range(length)]
    with_some, without = [0] * length, [0] * length
    for moment, _, found in days.reviewed:
        at = min(max((moment - columns[0]) // timedelta(days=1), 0), length - 1)
        (with_some if _heard(days, found, bar) else without)[at] += 1
    return Chart(
        "Series a day",
        tuple(_day(column.date()) for column in columns),
        (("with findings", tuple(map(float, with_some))), ("nothing found", tuple(map(float, without)))),
    )


def _day(day: date) -> str:
    return day.strftime("%m-%d")
