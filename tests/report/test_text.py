"""Pages in a terminal: wrapped, complete, and unable to steer it."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from bot.model import Code, Fields, Level, Page, Text
from bot.report.text import harmless, one_line, render


def test_an_escape_sequence_in_a_subject_is_shown_and_not_obeyed() -> None:
    assert harmless("a\x1b[31mred\x07") == "a\\x1b[31mred\\x07"


def test_bidirectional_overrides_are_spelled_out() -> None:
    assert harmless("evil\u202egnp.c") == "evil<U+202E>gnp.c"


def test_names_in_other_scripts_stay_as_they_are() -> None:
    assert harmless("Jörg 王小明 نیم\u200cفاصله") == "Jörg 王小明 نیم\u200cفاصله"


def test_bytes_that_were_no_utf8_are_replaced() -> None:
    assert harmless(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\ufffd"


def test_a_page_is_wrapped_to_the_width_and_code_is_not() -> None:
    code = "x" * 100
    page = Page("word " * 30, "https://example.org/a", Level.ERROR, (Text("more " * 30), Code(code)))
    lines = render(page, 40).splitlines()
    assert lines[0].startswith("error: word")
    assert "https://example.org/a" in lines
    assert f"    {code}" in lines
    assert all(len(line) <= 40 for line in lines if code not in line)


def test_fields_stand_in_two_columns() -> None:
    page = Page("h", parts=(Fields((("author", "Ada"), ("list", "kvm"))),))
    assert render(page).splitlines()[1:] == ["author  Ada", "list    kvm"]


def test_a_megabyte_on_one_line_is_cut() -> None:
    assert one_line("a\n" * 500_000, 10) == "a a a a a…"


@given(st.text(), st.text(), st.text())
def test_no_text_steers_the_terminal(headline: str, text: str, code: str) -> None:
    shown = render(Page(headline, text, None, (Text(text), Code(code), Fields(((text, code),)))))
    steering = {letter for letter in shown if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}}
    assert steering <= {"\n", "\t"}
