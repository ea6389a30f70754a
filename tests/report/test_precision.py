"""How often a rule is right, by the verdicts of people."""

from __future__ import annotations

import pytest

from bot.model import Verdict
from bot.report.precision import Precision, by_rule, demoted


@pytest.mark.parametrize(
    ("useful", "verdicts", "low", "high"),
    # Figures of Wilson's interval as tables give them: scipy.stats.binomtest(k, n).proportion_ci(method="wilson").
    [(0, 0, 0.0, 1.0), (9, 10, 0.596, 0.982), (10, 10, 0.722, 1.0), (0, 10, 0.0, 0.278), (81, 263, 0.255, 0.366)],
)
def test_the_interval_is_wilsons(useful: int, verdicts: int, low: float, high: float) -> None:
    found = Precision(useful, verdicts).interval
    assert found == (pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001))


def test_what_is_useful_and_what_is_not() -> None:
    tallies = {
        "a": {Verdict.ACK: 3, Verdict.RAISED: 2, Verdict.FALSE_POSITIVE: 1, Verdict.WONT_FIX: 9},
        "b": {Verdict.WONT_FIX: 20},
    }
    assert by_rule(tallies) == {"a": Precision(5, 6), "b": Precision(0, 0)}


@pytest.mark.parametrize(("right", "wrong", "silent"), [(9, 1, False), (8, 2, True), (7, 2, False), (0, 9, False)])
def test_a_rule_below_the_bar_over_ten_verdicts_is_demoted(right: int, wrong: int, silent: bool) -> None:
    tallies = {"a": {Verdict.ACK: right, Verdict.FALSE_POSITIVE: wrong}}
    assert demoted(tallies) == ({"a"} if silent else set())
    assert demoted(tallies, ["a"]) == set()


def test_it_is_said_in_words() -> None:
    assert str(Precision(9, 10)) == "90% useful of 10 (60% to 98%)"
    assert str(Precision()) == "no verdicts yet"
