"""How often a rule is right, by the verdicts of people, and which rules are to speak in the digest alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.model import Verdict

FEWEST = 10  # verdicts; fewer say nothing
LEAST_USEFUL = 0.9
_Z = 1.96  # 95 %


@dataclass(frozen=True, slots=True)
class Precision:
    """``useful`` of ``verdicts`` said that a finding of the rule was right.

    Acknowledged, or said by a reviewer too, is useful; a false positive is not.  "Won't fix" counts for neither: it
    judges the patch and not the rule.
    """

    useful: int = 0
    verdicts: int = 0

    @property
    def share(self) -> float:
        return self.useful / self.verdicts if self.verdicts else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson (1927), which holds for few verdicts and near 0 and 1; (0, 1) of none."""
        if not self.verdicts:
            return 0.0, 1.0
        n, square = self.verdicts, _Z * _Z
        middle = (self.share + square / (2 * n)) / (1 + square / n)
        half = _Z * math.sqrt(self.share * (1 - self.share) / n + square / (4 * n * n)) / (1 + square / n)
        return max(middle - half, 0.0), min(middle + half, 1.0)

    @property
    def below_the_bar(self) -> bool:
        return self.verdicts >= FEWEST and self.share < LEAST_USEFUL

    def __str__(self) -> str:
        if not self.verdicts:
            return "no verdicts yet"
        low, high = self.interval
        return f"{self.share:.0%} useful of {self.verdicts} ({low:.0%} to {high:.0%})"


def by_rule(tallies: Mapping[str, Mapping[Verdict, int]]) -> dict[str, Precision]:
    """The precision of each rule that has verdicts."""
    result: dict[str, Precision] = {}
    for rule, counts in tallies.items():
        useful = counts.get(Verdict.ACK, 0) + counts.get(Verdict.RAISED, 0)
        result[rule] = Precision(useful, useful + counts.get(Verdict.FALSE_POSITIVE, 0))
    return result


def demoted(tallies: Mapping[str, Mapping[Verdict, int]], pinned: Iterable[str] = ()) -> frozenset[str]:
    """The rules that speak in the digest alone; those that an operator pinned never do."""
    return frozenset(rule for rule, one in by_rule(tallies).items() if one.below_the_bar) - frozenset(pinned)
