"""Scores count what they say they count."""

from __future__ import annotations

import pytest

from bot.catalog import rules
from bot.truth import judged
from bot.truth.cases import Kind, Row, Trial, TruthError, kinds, read, trials
from bot.truth.faults import CLAIMS
from bot.truth.score import Alarm, Judgement, Outcome, Score, figure
from bot.truth.table import markdown, shown, tables

HEADING = "id\tcase\tkind\tlabel\tpattern\tfile\trcu_added\trcu_removed"
BUG = ("drivers/widget/widget.c", "widget_remove")


def row(name: str, kind: Kind, pattern: str = "P2-missing-grace-period", *, change: str = "", rcu: bool = True) -> Row:
    return Row(name, name.partition("-")[0], kind, "curated", pattern, change or name, f"{name}.eml", rcu)


def alarm(function: str = BUG[1], rule: str = "free-without-grace-period", path: str = BUG[0]) -> Alarm:
    return Alarm(rule, path, function, 7, "said", "hunk")


def outcome(one: Row, *said: Alarm, kind: Kind | None = None, failure: str = "") -> Outcome:
    return Outcome(Trial(one, kind or one.kind), said, failure=failure)


def score(*outcomes: Outcome, faults: dict[str, frozenset[tuple[str, str]]] | None = None, **more: object) -> Score:
    known = faults if faults is not None else {"a": frozenset({BUG}), "b": frozenset({BUG})}
    return Score("hunks alone", outcomes, known, **more)  # type: ignore[arg-type]


def test_a_bug_is_found_where_its_fix_changes_a_function() -> None:
    found = score(outcome(row("a-intro", Kind.INTRO), alarm()), outcome(row("b-intro", Kind.INTRO), alarm("other")))
    assert (found.recall(Kind.INTRO).above, found.recall(Kind.INTRO).below) == (1, 2)
    assert [missed.trial.row.id for missed in found.misses(Kind.INTRO)] == ["b-intro"]


def test_a_file_may_have_moved_between_a_bug_and_its_fix() -> None:
    found = score(outcome(row("a-intro", Kind.INTRO), alarm(path="lib/widget.c")))
    assert found.recall(Kind.INTRO).value == 100


def test_an_alarm_elsewhere_counts_against_precision_until_it_is_judged() -> None:
    elsewhere = outcome(row("a-intro", Kind.INTRO), alarm("other"))
    assert score(elsewhere).precision().value == 0
    verdict = Judgement("a-intro", "free-without-grace-period", "other", "true", "a second bug")
    assert score(elsewhere, judgements=[verdict]).precision().value == 100
    assert score(elsewhere, judgements=[verdict]).recall(Kind.INTRO).value == 0


def test_one_commit_that_brought_two_bugs_counts_once_for_precision() -> None:
    faults = {"a": frozenset({BUG}), "b": frozenset({(BUG[0], "widget_add")})}
    first, second = row("a-intro", Kind.INTRO, change="1234"), row("b-intro", Kind.INTRO, change="1234")
    found = score(outcome(first, alarm()), outcome(second, alarm()), faults=faults)
    assert (found.precision().above, found.precision().below) == (1, 1)
    assert found.recall(Kind.INTRO).above == 1


def test_every_alarm_on_a_fix_or_a_clean_change_is_false() -> None:
    found = score(outcome(row("a-fix", Kind.FIX), alarm()), outcome(row("c-clean", Kind.CLEAN, "none-known"), alarm()))
    assert found.false_alarms(Kind.FIX).value == 100
    assert found.false_alarms(Kind.CLEAN).value == 100
    assert len(list(found.vain())) == 2


def test_what_a_diff_hardly_shows_is_left_out_of_recall() -> None:
    left_out = outcome(row("a-intro", Kind.INTRO, "P11-lockdep-condition"))
    wordless = outcome(row("b-intro", Kind.INTRO, rcu=False))
    assert score(left_out, wordless).recall(Kind.INTRO).below == 0
    assert score(outcome(row("b-fix", Kind.FIX, rcu=False), kind=Kind.REVERSED)).recall(Kind.REVERSED).below == 1


def test_a_change_that_was_not_reviewed_is_missed_and_named() -> None:
    found = score(outcome(row("a-intro", Kind.INTRO), failure="the review ended its process"))
    assert found.recall(Kind.INTRO).value == 0
    assert "ended its process" in found.why_missed(next(found.misses(Kind.INTRO)))
    assert "Not reviewed: hunks alone" in markdown(tables([found]))


def test_a_case_without_a_fix_is_found_by_a_rule_of_its_class() -> None:
    reviewed = row("r-intro", Kind.INTRO, "P6-unbalanced")
    assert score(outcome(reviewed, alarm("any", "unbalanced-read-lock"))).recall(Kind.INTRO).value == 100
    assert score(outcome(reviewed, alarm("any", "callback-blocks"))).recall(Kind.INTRO).value == 0


def test_the_stricter_reading_wants_a_rule_of_the_class() -> None:
    found = score(outcome(row("a-intro", Kind.INTRO), alarm(rule="unbalanced-read-lock")))
    assert found.recall(Kind.INTRO).value == 100
    assert found.named(Kind.INTRO).value == 0


def test_an_interval_holds_its_figure_and_is_the_same_each_time() -> None:
    pairs = [(1, 1)] * 30 + [(0, 1)] * 70
    one = figure(pairs)
    assert one == figure(pairs)
    assert one.low < 30 < one.high
    assert one.high - one.low < 25
    assert shown(figure([])) == "–"


def test_a_fix_is_also_taken_back() -> None:
    rows = (row("a-fix", Kind.FIX), row("c-clean", Kind.CLEAN))
    assert [trial.kind for trial in trials(rows, kinds("fix,clean"))] == [Kind.FIX, Kind.REVERSED, Kind.CLEAN]
    assert [trial.kind for trial in trials(rows, kinds("reversed"))] == [Kind.REVERSED]


def test_only_rules_that_are_built_are_claimed() -> None:
    assert frozenset().union(*CLAIMS.values()) <= {rule.name for rule in rules()}


def test_no_rule_is_claimed_for_what_is_left_out() -> None:
    assert not {"P11", "P12", "P13", "P14"} & CLAIMS.keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no column id"),
        (f"{HEADING}\nx\tx\tbug\t\t\tx.eml\t\t", "known.tsv:2: kind 'bug'"),
        (f"{HEADING}\nx\tx\tfix\t\t\t\t\t", "known.tsv:2: a row needs an id and a file"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(text: str, words: str) -> None:
    with pytest.raises(TruthError, match=words):
        read(text, "known.tsv")


def test_quotes_in_a_subject_are_letters() -> None:
    rows = read(f'{HEADING}\nx\tx\tfix\t"half\tP1\tx.eml\t\t\ny\ty\tfix\tl\tP1\ty.eml\t\t', "known.tsv")
    assert [one.id for one in rows] == ["x", "y"]


def test_judgements_that_cannot_be_used_say_why() -> None:
    with pytest.raises(TruthError, match="first line"):
        judged.read("nothing", "judged.tsv")
    with pytest.raises(TruthError, match=r"judged\.tsv:2: 2 columns"):
        judged.read("id\trule\tfunction\tverdict\treason\na\tb", "judged.tsv")
