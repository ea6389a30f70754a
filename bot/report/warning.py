"""The page of one fault: what is wrong with one object, proved line by line, and what to ask or to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bot.model import Code, Context, Evidence, Finding, Page, Role, Series, Text
from bot.report import links
from bot.report.bar import worst
from bot.report.text import one_line

_COLUMN = max(len(role) for role in Role) + 2
_CODE_WIDTH = 160
_MOST_SITES = 8


def by_object(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], ...]:
    """The findings grouped by the object they are about, the most certain of a group first: one fault, one group."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.subject, []).append(finding)
    return tuple(tuple(sorted(group, key=lambda finding: -finding.confidence)) for group in groups.values())


def page(series: Series, group: Sequence[Finding], base: str = "") -> Page:
    """One page for the findings about one object.

    The first line names primitive and object.  Each site says where it is and whether the diff touches it, and brings
    the evidence that the sites above it did not already show.  ``base`` is the tree's name, as in Review.base.
    """
    first = group[0]
    shown: set[Evidence] = set()
    parts: list[Text | Code] = []
    for number, finding in enumerate(group[:_MOST_SITES]):
        where = _where(finding)
        parts.append(Text(where if number == 0 else f"Also: {one_line(finding.text, 120)}\n{where}"))
        fresh = [item for item in finding.evidence if item not in shown]
        shown.update(fresh)
        if fresh:
            parts.append(Code("\n".join(line for item in fresh for line in _evidence(series, item, base))))
        if said := "\n".join(text for text in (finding.question, finding.cure) if text):
            parts.append(Text(said))
    if len(group) > _MOST_SITES:
        parts.append(Text(f"… and {len(group) - _MOST_SITES} more places of the same kind"))
    parts.append(Text(_small_print(group), quiet=True))
    link = links.of_message(first.introduced_by) if first.introduced_by else ""
    return Page(one_line(first.text, 120), link, worst(group), tuple(parts))


def _where(finding: Finding) -> str:
    touched = ", in the diff" if finding.touched else ", not touched by the diff"
    function = f" {one_line(finding.function, 80)}()" if finding.function else ""
    # A suspect of an audit is in no diff.
    return f"{one_line(finding.path, 200)}:{finding.line}{function}{touched if finding.introduced_by else ''}"


def _evidence(series: Series, item: Evidence, base: str) -> Iterator[str]:
    """A quoted line under its role, and below it the place and the origin; words alone where nothing was found."""
    if not item.line:
        yield f"{item.role:<{_COLUMN}}  {one_line(item.code, _CODE_WIDTH)}"
        return
    mark = "+ " if item.origin.startswith("patch") else "  "
    yield f"{item.role:<{_COLUMN}}{mark}{one_line(item.code, _CODE_WIDTH)}"
    function = f" {one_line(item.function, 80)}()" if item.function else ""
    origin = _origin(series, item.origin, base)
    yield f"{'':<{_COLUMN}}  {one_line(item.path, 200)}:{item.line}{function}{origin}"
    if item.note:
        yield f"{'':<{_COLUMN}}  {one_line(item.note, _CODE_WIDTH)}"


def _origin(series: Series, origin: str, base: str) -> str:
    if origin.startswith("patch "):
        return f", {origin}/{series.expected}" if series.expected > 1 else ", this patch"
    name = one_line(base, 80) or "the base"
    return {"base": f", as in {name}", "hunk": ", as the diff shows it", "": ""}.get(origin, f", {origin}")


def _rule(finding: Finding) -> str:
    seen = {
        Context.HUNK: ", seen in the diff alone",
        Context.NEAR: ", seen in another state of the file",
    }.get(finding.context, "")
    return f"{finding.rule} (confidence {finding.confidence:g}{seen})"


def _small_print(group: Sequence[Finding]) -> str:
    rules = dict.fromkeys(_rule(finding) for finding in group)
    sources = dict.fromkeys(finding.source for finding in group if finding.source)
    # One checklist item: the first finding's.
    return ", ".join(rules) + "".join(f" · {source}" for source in list(sources)[:1])
