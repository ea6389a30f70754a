"""The card of a series: who sent what, what became of the findings, and how much was looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bot.model import Action, Code, Context, Fields, Finding, Life, Message, Page, Review, Series, Text
from bot.report import links, tags
from bot.report.bar import worst
from bot.report.merge import Merge
from bot.report.story import can_tell
from bot.report.text import one_line

TITLE_LIMIT = 200
_MOST_NOTES = 5
_MOST_NAMES = 5
_FIXED_LATER = re.compile(r": fixed in \d+/\d+$")


def card(
    series: Series,
    review: Review,
    life: Life,
    versions: Sequence[Series] = (),
    *,
    merge: Merge | None = None,
    raised: Mapping[str, Message] | None = None,
) -> Page:
    """The parent of a series' thread, one for all its versions, edited as they come.

    ``raised`` are the replies on the list that said the same as a finding, by fingerprint.
    """
    state = state_lines(series, review, life)
    state += raised_lines(life.open, raised or {})
    if merge:
        state.append(merged_line(merge, series, life))
    parts: list[Text | Code | Fields] = [
        Text("\n".join(state)),
        Fields(_fields(series, versions)),
        Text(scanned(review), quiet=True),
        *(Text(note, quiet=True) for note in notes(series, review)),
        Text("Replies in this thread never reach the mailing list.", quiet=True),
    ]
    title = one_line(series.title, TITLE_LIMIT) or "(no subject)"
    return Page(title, links.of_series(series), worst(life.open), tuple(parts), _actions(series))


def _actions(series: Series) -> tuple[Action, ...]:
    message = links.first_message(series)
    if message is None or len(message.id) > 200 or any(letter.isspace() for letter in message.id):
        return ()
    return (
        Action("Show all", f"show {message.id}"),
        Action("Mute series", f"mute series {message.id}"),
    )


def state_lines(series: Series, review: Review, life: Life) -> list[str]:
    """``v3: 2 fixed, 0 still open, 0 new``, then the objects behind each figure that is not 0."""
    version = f"v{series.version}"
    dismissed = [f"dismissed: {_objects(life.dismissed)}"] if life.dismissed else []
    if series.version == 1:
        return [f"v1: {len(life.new)} new" + (f" ({_objects(life.new)})" if life.new else ""), *dismissed]
    gone = "fixed" if can_tell(series, review, life.fixed) else "not seen again"
    counts = [f"{len(life.fixed)} {gone}", f"{len(life.still_open)} still open", f"{len(life.new)} new"]
    counts += [f"{len(life.again)} back again"] if life.again else []
    lines = [f"{version}: {', '.join(counts)}"]
    for words, findings in (
        (f"{gone} in {version}", life.fixed),
        ("still open", life.still_open),
        (f"new in {version}", life.new),
        (f"back again in {version}", life.again),
    ):
        if findings:
            lines.append(f"{words}: {len(findings)} ({_objects(findings)})")
    if life.fixed and gone != "fixed":
        lines.append("Less of the code could be looked at than last time, so this need not be a fix.")
    return lines + dismissed


def raised_lines(findings: Iterable[Finding], raised: Mapping[str, Message]) -> list[str]:
    """Who said on the list what a finding says, a line for each object and person."""
    said = {
        f"raised on the list by {one_line(message.sender.name or message.sender.email, 60)}: "
        f"{one_line(finding.subject, 60)}"
        for finding in findings
        if (message := raised.get(finding.fingerprint))
    }
    return sorted(said)


def merged_line(merge: Merge, series: Series, life: Life) -> str:
    """``merged with 1 open (kvm.devices): Sean, "Applied to next, thanks!"``; of an older version, that it was."""
    if merge.version != series.version:
        return f'v{merge.version} was merged: {merge.who}, "{merge.words}"'
    left = f" with {len(life.open)} open ({_objects(life.open)})" if life.open else ""
    return f'merged{left}: {merge.who}, "{merge.words}"'


def _objects(findings: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(one_line(finding.subject, 60) for finding in findings))
    more = f", … and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _fields(series: Series, versions: Sequence[Series]) -> tuple[tuple[str, str], ...]:
    message = links.first_message(series)
    others = [f"v{one.version}" for one in versions if one.version < series.version]
    before = f", after {', '.join(dict.fromkeys(others))}" if others else ""
    said = "".join(f"{one_line(tag, 20)} " for tag in series.tags[:3])
    pairs = [
        ("author", one_line(series.author.name, 80) or one_line(series.author.email, 80)),
        ("version", f"{said}v{series.version} of {tags.sent(message)}{before}"),
    ]
    if message and message.lists:
        pairs.append(("list", ", ".join(one_line(name, 80) for name in message.lists[:3])))
    pairs.append(("arch", ", ".join(tags.arches(series)[:8])))
    pairs.append(("changes", diffstat(series)))
    return (*pairs, *tags.fields(series))


def diffstat(series: Series) -> str:
    """``3 patches change 4 files: 120 lines added, 30 removed``."""
    files = [file for patch in series.patches for file in patch.files]
    paths = {file.path for file in files}
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    verb = "changes" if len(series.patches) == 1 else "change"
    return (
        f"{count(len(series.patches), 'patch', 'patches')} {verb} {count(len(paths), 'file')}: "
        f"{count(added, 'line')} added, {removed} removed"
    )


def count(number: int, one: str, many: str = "") -> str:
    """``1 patch``, ``2 patches``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def scanned(review: Review) -> str:
    """How much was looked at and in what: the proof behind a silence."""
    base = f" of {one_line(review.base, 120)}" if review.base else ""
    seen = {
        Context.HUNK: "the lines of the diff alone" + (f" ({one_line(review.base, 120)} did not help)" if base else ""),
        Context.NEAR: f"the lines of the diff, and{base[3:]} around them",
        Context.FILE: f"the changed files{base}",
        Context.TREE: f"the changed files and the files around them{base}",
    }[review.context]
    hint = "; no kernel tree was at hand" if review.context is Context.HUNK and not base else ""
    return f"Looked at {count(review.functions, 'function')} in {seen}{hint}."


def notes(series: Series, review: Review) -> list[str]:
    """What the reader must know to trust the figures: missing parts, hunks that did not apply, faults mended later."""
    said = []
    if missing := series.missing:
        parts = ", ".join(str(number) for number in missing[:10]) + (", …" if len(missing) > 10 else "")
        said.append(f"Of {series.expected} parts {len(missing)} never came: {parts}.")
    noted = list(dict.fromkeys(review.notes))
    said += [one_line(note, 300) for note in noted[:_MOST_NOTES]]
    if len(noted) > _MOST_NOTES:
        said.append(f"… and {len(noted) - _MOST_NOTES} more notes")
    said += [one_line(quiet.reason, 300) for quiet in review.quiet if _FIXED_LATER.search(quiet.reason)][:_MOST_NOTES]
    return said
