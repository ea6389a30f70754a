"""The tables that show scores: as Markdown, as plain text, as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.model import Context
from bot.truth.cases import Kind
from bot.truth.faults import CLAIMS, LEFT_OUT
from bot.truth.score import Alarm, Figure, Judgement, Outcome, Score

_REASON = 100


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    note: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(scores: Sequence[Score], judgements: Sequence[Judgement] = ()) -> tuple[Table, ...]:
    """Everything there is to show, the summary first; tables without rows are left out."""
    made = [_summary(scores)]
    ours = [score for score in scores if not score.peer]
    for score in ours:
        made += [_by_rule(score), _by_context(score), _by_class(score)]
    for score in ours:
        made += [_misses(score, Kind.INTRO), _misses(score, Kind.REVERSED), _vain(score), _failed(score)]
    audited = [one for one in judgements if one.id == "audit"]
    rows = tuple((one.rule, one.function, one.verdict, one.reason) for one in audited)
    made.append(Table("The audit", "Every suspect of a whole tree, judged.", ("rule", "place", "verdict", "why"), rows))
    return tuple(table for table in made if table.rows)


def markdown(made: Iterable[Table]) -> str:
    """The tables as a page; nothing in it but figures, names and our own words."""
    return "\n".join(_markdown(made)) + "\n"


def _markdown(made: Iterable[Table]) -> Iterator[str]:
    yield "# What the rules find, and what they say in vain\n"
    yield "Made by `gracewatch evaluate FILE --format markdown`. A bug is found when a warning or an error lies in a"
    yield "function that the bug's fix changes. Beside each figure stand the counts and the bounds of 95 % of 1,000"
    yield "bootstrap resamples, with a fixed seed."
    for table in made:
        yield f"\n## {table.title}\n"
        if table.note:
            yield f"{table.note}\n"
        yield f"| {' | '.join(table.heading)} |\n|{'---|' * len(table.heading)}"
        yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table.rows)


def plain(made: Iterable[Table]) -> str:
    """The tables in columns for a terminal."""
    return "\n".join(line for table in made for line in _plain(table)) + "\n"


def _plain(table: Table) -> Iterator[str]:
    widths = [max(len(row[n]) for row in (table.heading, *table.rows)) for n in range(len(table.heading))]
    yield f"{table.title}"
    yield from (
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (table.heading, *table.rows)
    )
    yield ""


def document(scores: Sequence[Score]) -> str:
    """The scores as JSON, for programs."""
    return json.dumps({"version": 1, "columns": [_column(score) for score in scores]}, indent=2)


def _column(score: Score) -> dict[str, object]:
    return {
        "name": score.name,
        "figures": {key: _figure(value) for key, value in _figures(score)},
        "rules": {rule: _figure(score.precision(rule)) for rule in _rules(score)},
        "misses": [
            {
                "id": outcome.trial.row.id,
                "kind": kind,
                "class": outcome.trial.row.fault,
                "why": score.why_missed(outcome),
            }
            for kind in (Kind.INTRO, Kind.REVERSED)
            for outcome in score.misses(kind)
        ],
        "false_alarms": [
            {
                "id": outcome.trial.row.id,
                "kind": outcome.trial.kind,
                "rule": alarm.rule,
                "path": alarm.path,
                "function": alarm.function,
                "line": alarm.line,
                "context": alarm.context,
                "why": _why(score, outcome, alarm),
            }
            for outcome, alarm in score.vain()
        ],
        "not_reviewed": [
            {"id": outcome.trial.row.id, "kind": outcome.trial.kind, "why": outcome.failure} for outcome in score.failed
        ],
    }


def _figures(score: Score) -> Iterator[tuple[str, Figure]]:
    yield "recall on introducing changes, %", score.recall(Kind.INTRO)
    yield "the same, of classes with a rule, %", score.recall(Kind.INTRO, claimed=True)
    yield "the same, named by a rule of the class, %", score.named(Kind.INTRO)
    yield "recall on reversed fixes, %", score.recall(Kind.REVERSED)
    yield "reversed, of classes with a rule, %", score.recall(Kind.REVERSED, claimed=True)
    yield "precision, %", score.precision()
    yield "false alarms per 100 fixes", score.false_alarms(Kind.FIX)
    yield "false alarms per 100 clean changes", score.false_alarms(Kind.CLEAN)


def _summary(scores: Sequence[Score]) -> Table:
    columns = [list(_figures(score)) for score in scores]
    rows = [(cells[0][0], *(shown(figure) for _, figure in cells)) for cells in zip(*columns, strict=True)]
    claims = next(n for n, row in enumerate(rows) if "named by a rule" in row[0])
    # Peers have no rules that claim a class.
    rows[claims] = (
        rows[claims][0],
        *("–" if one.peer else cell for one, cell in zip(scores, rows[claims][1:], strict=True)),
    )
    rows.append(("changes that were not reviewed", *(str(len(score.failed)) for score in scores)))
    left_out = ", ".join(sorted(LEFT_OUT))
    note = (
        f"Left out of recall: {left_out}, and introducing changes without a word of RCU of classes no rule claims so."
    )
    return Table("Summary", note, ("", *(score.name for score in scores)), tuple(rows))


def _by_rule(score: Score) -> Table:
    def count(rule: str, kind: Kind, *, true: bool) -> str:
        seen = score.ran if kind is Kind.REVERSED else score.changes
        return str(
            sum(
                alarm.rule == rule and score.true(outcome, alarm) is true
                for outcome in seen
                if outcome.trial.kind is kind
                for alarm in outcome.alarms
            )
        )

    rows = tuple(
        (
            rule,
            count(rule, Kind.INTRO, true=True),
            count(rule, Kind.INTRO, true=False),
            count(rule, Kind.FIX, true=False),
            count(rule, Kind.CLEAN, true=False),
            shown(score.precision(rule)),
            count(rule, Kind.REVERSED, true=True),
            count(rule, Kind.REVERSED, true=False),
        )
        for rule in _rules(score)
    )
    heading = ("rule", "true", "elsewhere", "on fixes", "on clean", "precision, %", "reversed: true", "elsewhere")
    note = "Alarms (a rule about a function), each change counted once. Elsewhere: outside what the fix changes."
    return Table(f"By rule: {score.name}", note, heading, rows)


def _by_context(score: Score) -> Table:
    rows = []
    for context in Context:
        seen = Counter(outcome.trial.kind for outcome in score.ran if outcome.context is context)
        if not seen:
            continue
        here = Score(score.name, [one for one in score.ran if one.context is context], score.faults, score.judgements)
        cells = (here.recall(Kind.INTRO), here.recall(Kind.REVERSED), here.precision())
        rates = (here.false_alarms(Kind.FIX), here.false_alarms(Kind.CLEAN))
        rows.append((context.value, str(seen.total()), *(shown(cell) for cell in (*cells, *rates))))
    heading = ("context", "trials", "recall, %", "reversed, %", "precision, %", "per 100 fixes", "per 100 clean")
    return Table(f"By context: {score.name}", "What the review of a change rested on.", heading, tuple(rows))


def _by_class(score: Score) -> Table:
    faults = sorted({one.trial.row.fault for kind in (Kind.INTRO, Kind.REVERSED) for one in score.counted(kind)})
    rows = []
    for fault in faults:
        cells = []
        for kind in (Kind.INTRO, Kind.REVERSED):
            these = [one for one in score.counted(kind) if one.trial.row.fault == fault]
            cells.append(f"{sum(score.hit(one) for one in these)} of {len(these)}")
        rows.append((fault, *cells, ", ".join(sorted(CLAIMS.get(fault, ()))) or "none"))
    heading = ("class", "introducing", "reversed", "rules of the class")
    return Table(f"By class: {score.name}", "", heading, tuple(rows))


def _misses(score: Score, kind: Kind) -> Table:
    rows = tuple(
        (outcome.trial.row.id, outcome.trial.row.pattern, score.why_missed(outcome) or "not known")
        for outcome in score.misses(kind)
    )
    what = "introducing changes" if kind is Kind.INTRO else "reversed fixes"
    return Table(f"Missed {what}: {score.name}", "", ("id", "class", "why"), rows)


def _vain(score: Score) -> Table:
    rows = tuple(
        (
            outcome.trial.row.id,
            outcome.trial.kind.value,
            alarm.rule,
            f"{alarm.path}:{alarm.line} {alarm.function}()",
            alarm.context,
            _why(score, outcome, alarm),
        )
        for outcome, alarm in score.vain()
    )
    return Table(f"False alarms: {score.name}", "", ("id", "kind", "rule", "place", "context", "why"), rows)


def _failed(score: Score) -> Table:
    rows = tuple((one.trial.row.id, one.trial.kind.value, one.failure[:_REASON]) for one in score.failed)
    return Table(f"Not reviewed: {score.name}", "", ("id", "kind", "why"), rows)


def _why(score: Score, outcome: Outcome, alarm: Alarm) -> str:
    judged = score.judgement(outcome, alarm)
    if judged is not None:
        return f"{judged.verdict}: {judged.reason}"
    return "outside the fix, not judged" if outcome.trial.kind is Kind.INTRO else "not judged"


def _rules(score: Score) -> tuple[str, ...]:
    return tuple(sorted({alarm.rule for outcome in score.ran for alarm in outcome.alarms}))


def _figure(figure: Figure) -> dict[str, float | None]:
    return {
        "value": figure.value,
        "above": figure.above,
        "below": figure.below,
        "low": figure.low,
        "high": figure.high,
    }


def shown(figure: Figure) -> str:
    """``41 (11 of 27, 22–59)``; a dash where there is nothing to count."""
    if figure.value is None:
        return "–"
    return f"{figure.value:.3g} ({figure.above:g} of {figure.below:g}; {figure.low:.3g}–{figure.high:.3g})"
