"""Scores: what was found of what is known, and what was said in vain, each figure with its 95 % interval."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bot.model import Context, Finding, Level
from bot.truth.cases import Kind, Row, Trial
from bot.truth.faults import CLAIMS, LEFT_OUT, WORDLESS, Place, lies_in

_RESAMPLES = 1000
_SEED = 20240422


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that was said of a change: a rule about a function."""

    rule: str
    path: str
    function: str
    line: int
    text: str
    context: str

    @property
    def place(self) -> Place:
        return self.path, self.function


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one trial.  ``failure`` says why it was not reviewed, "" when it was."""

    trial: Trial
    alarms: tuple[Alarm, ...] = ()
    context: Context = Context.HUNK
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person who read the code says of a miss (no rule named) or of an alarm."""

    id: str
    rule: str
    function: str
    verdict: str  # true, false, or the class of what is missing
    reason: str


@dataclass(frozen=True, slots=True)
class Figure:
    """``above`` per hundred of ``below``, and the bounds that 95 % of resamples lie between."""

    above: float
    below: float
    low: float
    high: float

    @property
    def value(self) -> float | None:
        return 100 * self.above / self.below if self.below else None


def alarms(findings: Iterable[Finding]) -> tuple[Alarm, ...]:
    """The warnings and errors, one for each rule and function."""
    said: dict[tuple[str, str, str], Alarm] = {}
    for finding in findings:
        if finding.level is not Level.NOTE:
            key = (finding.rule, finding.path, finding.function)
            alarm = Alarm(*key, finding.line, finding.text, finding.context.value)
            said.setdefault(key, alarm)
    return tuple(said.values())


def figure(pairs: Sequence[tuple[float, float]]) -> Figure:
    """The sum of the first parts over that of the second, bootstrapped over the pairs; the seed is fixed."""
    draw = random.Random(_SEED)  # noqa: S311  statistics, and the same each time
    values: list[float] = []
    for _ in range(_RESAMPLES if pairs else 0):
        sample = draw.choices(pairs, k=len(pairs))
        below = sum(pair[1] for pair in sample)
        if below:
            values.append(100 * sum(pair[0] for pair in sample) / below)
    values.sort()
    low, high = (values[int(0.025 * len(values))], values[int(0.975 * len(values))]) if values else (0.0, 0.0)
    return Figure(sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs), low, high)


class Score:
    """One reviewer's outcomes, with the functions that hold each case's bug and what people judged."""

    def __init__(
        self,
        name: str,
        outcomes: Sequence[Outcome],
        faults: Mapping[str, frozenset[Place]],
        judgements: Sequence[Judgement] = (),
        *,
        peer: bool = False,
    ) -> None:
        self.name = name
        self.peer = peer  # somebody else's: its figures are shown, and not each of its misses
        self.outcomes = tuple(outcomes)
        self.faults = faults
        self.judgements = tuple(judgements)
        self._judged = {(one.id, one.rule, one.function): one for one in judgements}

    @cached_property
    def ran(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.failure)

    @cached_property
    def failed(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.failure)

    @cached_property
    def _same_change(self) -> Mapping[str, frozenset[str]]:
        """The cases of each change: one commit can bring several bugs."""
        found: dict[str, set[str]] = {}
        for outcome in self.outcomes:
            if outcome.trial.kind is Kind.INTRO:
                found.setdefault(outcome.trial.row.change, set()).add(outcome.trial.row.case)
        return {change: frozenset(cases) for change, cases in found.items()}

    def names(self, alarm: Alarm, row: Row) -> bool:
        """Whether an alarm lies where the bug of the row's case is; a rule of its class, where that is not known."""
        known = self.faults.get(row.case)
        if known:
            return lies_in(alarm.place, known)
        return alarm.rule in CLAIMS.get(row.fault, ())

    def hit(self, outcome: Outcome) -> bool:
        return any(self.names(alarm, outcome.trial.row) for alarm in outcome.alarms)

    def hit_by_its_rule(self, outcome: Outcome) -> bool:
        """The stricter reading: and the rule is one for this class of bugs."""
        row = outcome.trial.row
        return any(self.names(alarm, row) and alarm.rule in CLAIMS.get(row.fault, ()) for alarm in outcome.alarms)

    def counted(self, kind: Kind, *, claimed: bool = False) -> tuple[Outcome, ...]:
        """The trials that recall is taken over.  A trial that was not reviewed counts as a miss."""
        return tuple(
            outcome
            for outcome in self.outcomes
            if outcome.trial.kind is kind and counts(outcome.trial.row) and (not claimed or claimed_class(outcome))
        )

    def judgement(self, outcome: Outcome, alarm: Alarm | None = None) -> Judgement | None:
        key = (outcome.trial.row.id, alarm.rule, alarm.function) if alarm else (outcome.trial.row.id, "", "")
        return self._judged.get(key)

    def true(self, outcome: Outcome, alarm: Alarm) -> bool:
        """Whether an alarm about a change is right: where a bug of this change is, or judged so by a person."""
        judged = self.judgement(outcome, alarm)
        if judged is not None:
            return judged.verdict == "true"
        if outcome.trial.kind in {Kind.FIX, Kind.CLEAN}:
            return False
        row = outcome.trial.row
        cases = self._same_change.get(row.change, frozenset()) if outcome.trial.kind is Kind.INTRO else frozenset()
        return self.names(alarm, row) or any(lies_in(alarm.place, self.faults.get(case, ())) for case in cases)

    @cached_property
    def changes(self) -> tuple[Outcome, ...]:
        """The outcomes with each change once, forward: what precision is taken over."""
        seen: dict[str, Outcome] = {}
        for outcome in self.ran:
            if outcome.trial.kind is not Kind.REVERSED:
                seen.setdefault(outcome.trial.row.change, outcome)
        return tuple(seen.values())

    # -- figures

    def recall(self, kind: Kind, *, claimed: bool = False) -> Figure:
        return figure([(self.hit(outcome), 1) for outcome in self.counted(kind, claimed=claimed)])

    def named(self, kind: Kind) -> Figure:
        return figure([(self.hit_by_its_rule(outcome), 1) for outcome in self.counted(kind, claimed=True)])

    def precision(self, rule: str = "") -> Figure:
        return figure(
            [
                (sum(self.true(outcome, alarm) for alarm in said), len(said))
                for outcome in self.changes
                if (said := [alarm for alarm in outcome.alarms if rule in {"", alarm.rule}])
            ]
        )

    def false_alarms(self, kind: Kind, wanted: Callable[[Outcome], bool] = lambda _: True) -> Figure:
        """False alarms per 100 changes of a kind."""
        return figure(
            [
                (sum(not self.true(outcome, alarm) for alarm in outcome.alarms), 1)
                for outcome in self.ran
                if outcome.trial.kind is kind and wanted(outcome)
            ]
        )

    # -- lists

    def misses(self, kind: Kind) -> Iterator[Outcome]:
        return (outcome for outcome in self.counted(kind) if not self.hit(outcome))

    def vain(self) -> Iterator[tuple[Outcome, Alarm]]:
        """The alarms that count against precision."""
        for outcome in self.changes:
            yield from ((outcome, alarm) for alarm in outcome.alarms if not self.true(outcome, alarm))

    def why_missed(self, outcome: Outcome) -> str:
        """The reason as far as it is known."""
        row = outcome.trial.row
        judged = self.judgement(outcome)
        if judged is not None:
            return f"{judged.verdict}: {judged.reason}"
        if outcome.failure:
            return f"not reviewed: {outcome.failure}"
        if row.case in self.faults and not self.faults[row.case]:
            return "the fix changes no function"
        if row.fault not in CLAIMS and row.fault != "auto":
            return "no rule is built for this class"
        if outcome.alarms:
            return "said elsewhere: " + ", ".join(sorted({alarm.rule for alarm in outcome.alarms}))
        return ""


def counts(row: Row) -> bool:
    """Whether a row is one that recall is taken over."""
    if row.fault in LEFT_OUT:
        return False
    return row.kind is not Kind.INTRO or row.rcu or row.fault in WORDLESS


def claimed_class(outcome: Outcome) -> bool:
    """Whether a rule is built for the class that the case is labelled with."""
    return outcome.trial.row.fault in CLAIMS
