"""Confidence moves with what is known of a rule, and never past what can be seen."""

from __future__ import annotations

from dataclasses import replace

from bot.calibration import SEEN
from bot.catalog import rule, rules
from bot.confidence import confidence
from bot.model import Context
from bot.report.bar import USUAL

UNSEEN = replace(rule("free-without-grace-period"), name="a-new-rule", confidence=0.8, hunk_proves=False)


def test_a_rule_that_nobody_judged_yet_is_as_certain_as_it_claims() -> None:
    assert confidence(UNSEEN, Context.TREE, None) == 0.8
    assert confidence(UNSEEN, Context.TREE, 0.65) == 0.65


def test_being_right_and_wrong_moves_the_claim() -> None:
    (name, context), (right, wrong) = max(SEEN.items(), key=lambda item: item[1])
    known = replace(rule(name), confidence=0.5, hunk_proves=True)
    assert right > wrong
    assert confidence(known, Context(context), None) > 0.5


def test_hunks_that_prove_nothing_stay_below_the_bar_of_a_channel() -> None:
    assert all(
        confidence(one, Context.HUNK, claim) < USUAL.confidence
        for one in rules()
        if not one.hunk_proves
        for claim in (None, 1.0)
    )


def test_a_diff_that_fits_loosely_is_believed_less() -> None:
    assert confidence(UNSEEN, Context.TREE, None, fuzz=True) < confidence(UNSEEN, Context.TREE, None)


def test_hunks_among_the_lines_of_another_state_are_believed_more_than_alone_and_less_than_where_they_fit() -> None:
    alone, near, fits = (confidence(UNSEEN, context, None) for context in (Context.HUNK, Context.NEAR, Context.TREE))
    assert alone < near < fits


def test_the_table_names_rules_that_there_are() -> None:
    assert {name for name, _ in SEEN} <= {one.name for one in rules()}
