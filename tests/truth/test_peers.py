"""Other reviewers look at the same changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.cli.peers import peers
from bot.mail import diff
from bot.mail import patch as patches
from bot.mail.assembly import assemble
from bot.mail.parse import parse
from bot.model import Base, Message, RawMail, Series
from bot.review import reverse
from bot.trees.none import NoTree
from bot.truth.cases import TruthError
from bot.truth.peers import Remark, by_regex, complaints, found_by_semgrep, news, remarks, states, unified
from tests.journeys.gracewatch import ROOT, gracewatch

HERE = ROOT / "tests" / "data" / "truth"


def series(name: str) -> Series:
    message = parse(RawMail("test", name, (HERE / name).read_bytes()))
    assert isinstance(message, Message)
    (found,) = assemble([(message, patches.of(message))], datetime(2026, 1, 1, tzinfo=UTC))
    return found


def test_a_series_written_out_reads_as_the_same_diff() -> None:
    one = series("fix.eml")
    files, problems = diff.read(unified(one))
    assert problems == ()
    assert [file.hunks for file in files] == [file.hunks for file in one.patches[0].files]


def test_regular_expressions_see_what_is_taken_out_and_name_the_function() -> None:
    said = by_regex(reverse(series("fix.eml")))
    assert {alarm.function for alarm in said} == {"widget_remove"}
    assert by_regex(series("clean.eml")) == ()


def test_only_what_checkpatch_says_of_rcu_counts() -> None:
    output = (
        "drivers/widget/widget.c:37: WARNING:LONG_LINE: line over 100 characters\n"
        "drivers/widget/widget.c:37: WARNING:RCU_THING: Use of rcu without a lock\n"
        ":12: WARNING:COMMIT_MESSAGE: say why\n"
    )
    (alarm,) = complaints(output, series("fix.eml"))
    assert (alarm.rule, alarm.function) == ("checkpatch-RCU_THING", "widget_remove")


def test_a_program_is_heard_of_what_the_change_brings_only() -> None:
    taken_back = reverse(series("fix.eml"))
    _, after = states(taken_back, Base())
    line = next(n for n, text in enumerate(after[0].text.splitlines(), 1) if "kfree" in text)
    new = Remark("freed", after[0].path, line, f"freed, unlinked on line {line - 1}")
    (alarm,) = news((), (new,), after)
    assert (alarm.rule, alarm.function) == ("freed", "widget_remove")
    moved = Remark("freed", after[0].path, line - 3, f"freed, unlinked on line {line - 4}")
    assert news((moved,), (new,), after) == ()


def test_the_reports_of_coccinelle_and_semgrep_are_read() -> None:
    assert remarks("init\na/b.c:12:3-9: ERROR: freed\n", "kfree") == (Remark("kfree", "a/b.c", 12, "ERROR: freed"),)
    told = '{"results": [{"check_id": "x.freed", "path": "a.c", "end": {"line": 3}, "extra": {"message": "why"}}]}'
    assert found_by_semgrep(told) == (Remark("freed", "a.c", 3, "why"),)
    assert found_by_semgrep("no such option") == ()


def test_peers_that_are_not_there_are_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="name a kernel tree with --tree"):
        peers(str(tmp_path), NoTree())
    done = gracewatch("evaluate", str(HERE / "known.tsv"), "--peers")
    assert done.returncode == 2
    assert b"no checkpatch.pl" in done.stderr
