"""gracewatch evaluate, as a person calls it, on a small list of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.gracewatch import ROOT, gracewatch

HERE = ROOT / "tests" / "data" / "truth"
CORPUS = ROOT.parent / "shared" / "corpus" / "groundtruth_open.tsv"


def columns(*words: str) -> list[dict[str, Any]]:
    done = gracewatch("evaluate", str(HERE / "known.tsv"), "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["columns"])


def test_the_hunks_alone_and_a_tree_each_have_their_column() -> None:
    alone, tree = columns("--tree", str(HERE / "tree"))
    assert alone["name"] == "hunks alone"
    assert tree["figures"]["recall on introducing changes, %"]["value"] == 100
    assert [(one["id"], one["function"]) for one in tree["false_alarms"]] == [("faster", "widget_remove")]


def test_a_row_that_cannot_be_read_is_told_and_the_others_go_on() -> None:
    (alone,) = columns()
    assert [(one["id"], one["kind"]) for one in alone["not_reviewed"]] == [("lost", "clean")]
    assert "no such file" in alone["not_reviewed"][0]["why"]
    assert alone["figures"]["false alarms per 100 clean changes"]["below"] == 2


def test_a_person_s_judgement_settles_an_alarm() -> None:
    _, tree = columns("--tree", str(HERE / "tree"), "--judged", str(HERE / "judged.tsv"))
    assert tree["false_alarms"] == []
    assert tree["figures"]["precision, %"]["value"] == 100


def test_the_figures_are_the_same_whatever_the_number_of_jobs() -> None:
    assert columns("--jobs", "1") == columns("--jobs", "3")


def test_only_what_is_asked_for_is_looked_at() -> None:
    (alone,) = columns("--kind", "clean", "--limit", "1")
    assert alone["figures"]["false alarms per 100 clean changes"]["below"] == 1
    assert alone["figures"]["recall on introducing changes, %"]["below"] == 0


def test_markdown_has_tables_and_nothing_of_the_mail() -> None:
    page = gracewatch("evaluate", str(HERE / "known.tsv"), "--format", "markdown").stdout.decode()
    assert page.startswith("# What the rules find")
    assert "| widgets-" in page
    assert "Count without the lock" not in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", "no-such.tsv"), "no-such.tsv cannot be read"),
        (("evaluate", str(HERE / "known.tsv"), "--kind", "bugs"), "kind 'bugs'; name some of intro"),
        (("evaluate", str(HERE / "intro.eml")), "names no column"),
        (("evaluate", str(HERE / "known.tsv"), "--tree", "no-such-tree"), "no such directory"),
    ],
)
def test_what_cannot_be_done_is_said_with_the_cure(words: tuple[str, ...], said: str) -> None:
    done = gracewatch(*words)
    assert done.returncode == 2
    assert said in done.stderr.decode()


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_file(), reason=f"the corpus of known changes is not at {CORPUS}")
def test_thirty_real_changes_are_scored_and_the_fixes_among_them_stay_silent(tmp_path: Path) -> None:
    done = gracewatch("evaluate", str(CORPUS), "--kind", "fix", "--limit", "30", "--format", "json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (alone,) = json.loads(done.stdout)["columns"]
    assert alone["not_reviewed"] == []
    assert alone["figures"]["recall on reversed fixes, %"]["above"] >= 1
    assert alone["figures"]["false alarms per 100 fixes"]["above"] == 0
