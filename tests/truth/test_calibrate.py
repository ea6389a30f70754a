"""What is known of changes becomes the table that confidence rests on."""

from __future__ import annotations

from dataclasses import replace

from bot.truth.calibrate import module, seen
from bot.truth.cases import Kind
from tests.truth.test_score import alarm, outcome, row, score

RULE = "free-without-grace-period"


def test_each_change_counts_once_and_a_reversed_fix_only_where_its_bug_was_missed() -> None:
    found = outcome(row("a-intro", Kind.INTRO), alarm(), alarm("other", rule="sleep-in-reader"))
    same = outcome(row("a-fix", Kind.FIX), alarm(), kind=Kind.REVERSED)
    fresh = outcome(row("b-fix", Kind.FIX), alarm(), alarm("other"), kind=Kind.REVERSED)
    clean = outcome(row("c-clean", Kind.CLEAN), alarm())
    assert seen([score(found, same, fresh, clean)]) == {(RULE, "hunk"): (2, 1), ("sleep-in-reader", "hunk"): (0, 1)}


def test_hunks_are_judged_without_a_tree_and_the_rest_with_one() -> None:
    hunk, tree = alarm(), replace(alarm(), context="tree")
    alone, with_tree = (
        score(outcome(row("a-intro", Kind.INTRO), hunk)),
        score(outcome(row("a-intro", Kind.INTRO), tree)),
    )
    assert seen([alone, with_tree]) == {(RULE, "hunk"): (1, 0), (RULE, "tree"): (1, 0)}
    assert seen([alone, alone]) == {(RULE, "hunk"): (1, 0)}


def test_the_table_is_python_that_says_the_same() -> None:
    table = {("a-rule", "hunk"): (1, 2), ("a-rule", "tree"): (3, 0)}
    place: dict[str, object] = {}
    exec(module(table), place)  # noqa: S102  our own text
    assert place["SEEN"] == table
