"""Filters of subscriptions: ``list:kvm path:arch/x86/kvm not author:bot level:error``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.model import Level, Series
from bot.report.bar import Bar
from bot.report.mutes import matches
from bot.report.tags import arches
from bot.report.text import one_line

FIELDS = ("list", "path", "author", "subject", "arch", "level")
_ALIASES = {
    "lists": "list", "file": "path", "dir": "path", "from": "author", "by": "author", "f": "author",
    "title": "subject", "s": "subject", "architecture": "arch", "severity": "level",
}  # fmt: skip
_NOT = frozenset({"not", "-", "!", "no", "except", "without"})
_EVERYTHING = frozenset({"all", "everything", "*", "any"})
_MOST = 20


class FilterError(ValueError):
    """The words are no filter; the message says why and what would be one."""


@dataclass(frozen=True, slots=True)
class Term:
    """``value`` is without case; ``absent``: it must not be so."""

    field: str
    value: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Admits a series when, for each field that is named, one of its terms holds, and no term with ``not`` does."""

    terms: tuple[Term, ...] = ()

    def admits(self, series: Series) -> bool:
        """To be asked when the series is complete: its first mail may lack what a later one has."""
        wanted: dict[str, bool] = {}
        for term in self.terms:
            if term.field == "level":
                continue
            holds = any(_holds(term, text) for text in _texts(term.field, series))
            if term.absent and holds:
                return False
            if not term.absent:
                wanted[term.field] = wanted.get(term.field, False) or holds
        return all(wanted.values())

    def bar(self, usual: Bar) -> Bar:
        """The bar for what this filter admits: its level counts where it names one."""
        levels = [term.value for term in self.terms if term.field == "level"]
        return replace(usual, level=Level(levels[-1])) if levels else usual

    def __str__(self) -> str:
        return " ".join(_spelled(term) for term in self.terms) or "everything"


def parse(words: str) -> Filter:
    """A filter of people's words.  A word without a field is looked for in the subject.  Raises FilterError."""
    terms: list[Term] = []
    absent = False
    for word in words.split():
        low = word.lower()
        if low in _NOT:
            absent = True
            continue
        if low == "and" or (low in _EVERYTHING and not absent):
            continue
        terms.append(_term(word, absent=absent))
        absent = False
    if absent:
        raise FilterError("`not` wants something behind it, such as `not author:bot`.")
    if len(terms) > _MOST:
        raise FilterError(f"A filter has {_MOST} terms at most.")
    return Filter(tuple(terms))


def _term(word: str, *, absent: bool) -> Term:
    if word[0] in "-!" and len(word) > 1:
        word, absent = word[1:], not absent
    name, colon, value = word.partition(":")
    field = _ALIASES.get(name.lower(), name.lower())
    if not colon:
        return Term("subject", word.casefold(), absent)
    if field not in FIELDS:
        raise FilterError(f"There is no field {one_line(name, 30)!r}; there are {', '.join(FIELDS)}.")
    if not value:
        raise FilterError(f"`{field}:` wants a value behind it, without a blank.")
    if field != "level":
        return Term(field, value.casefold(), absent)
    if absent or value.lower() not in ("error", "warning"):
        raise FilterError("level is `level:error` or `level:warning`: it is the lowest that is told.")
    return Term(field, value.lower())


def _holds(term: Term, text: str) -> bool:
    low = text.casefold()
    match term.field:
        case "path":
            return matches(term.value, low)
        case "arch":
            return low == term.value
        case "list":
            return low == term.value or low.partition("@")[0] == term.value
        case _:
            return term.value in low


def _texts(field: str, series: Series) -> Iterator[str]:
    match field:
        case "list":
            messages = [series.cover] if series.cover else []
            for message in (*messages, *(patch.message for patch in series.patches)):
                yield from message.lists
        case "path":
            yield from (file.path for patch in series.patches for file in patch.files)
        case "author":
            yield f"{series.author.name} <{series.author.email}>"
        case "subject":
            yield series.title
            yield from (patch.message.subject.title for patch in series.patches)
        case "arch":
            yield from arches(series)


def _spelled(term: Term) -> str:
    return f"{'not ' if term.absent else ''}{term.field}:{term.value}"


def lowest(bars: Iterable[Bar]) -> Bar | None:
    """The bar that admits most, None of none."""
    ranked = sorted(bars, key=lambda bar: (bar.level is Level.ERROR, bar.confidence))
    return ranked[0] if ranked else None
