"""A finding's life: new, still open, fixed, back again.

v1  A B      both new
v2  B C      A fixed, B still open, C new
v3  -        B and C fixed
v4  A        back again
"""

from __future__ import annotations

from dataclasses import replace

from bot.model import Life
from bot.report.lifecycle import history, join
from tests.report.making import ERROR_PATH, OTHER, RELEASE


def test_in_a_first_version_everything_is_new() -> None:
    assert join({}, (RELEASE, ERROR_PATH)) == Life(new=(RELEASE, ERROR_PATH))


def test_a_reroll_sorts_findings_into_new_open_and_fixed() -> None:
    life = join({1: (RELEASE, ERROR_PATH)}, (ERROR_PATH, OTHER))
    assert life == Life(new=(OTHER,), still_open=(ERROR_PATH,), fixed=(RELEASE,))


def test_a_finding_that_was_fixed_once_comes_back_again() -> None:
    assert join({1: (RELEASE,), 2: (), 3: ()}, (RELEASE,)) == Life(again=(RELEASE,))


def test_what_was_fixed_long_ago_is_not_fixed_once_more() -> None:
    assert join({1: (RELEASE,), 2: ()}, ()) == Life()


def test_a_shifted_line_changes_nothing_in_a_findings_life() -> None:
    moved = replace(RELEASE, line=4800)
    assert join({1: (RELEASE,)}, (moved,)) == Life(still_open=(moved,))


def test_history_knows_versions_in_which_nothing_was_found_and_leaves_later_ones_out() -> None:
    told = history((2, 1, 3), [(1, RELEASE), (3, OTHER)], before=3)
    assert told == {1: [RELEASE], 2: []}
