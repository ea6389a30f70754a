"""Pages as Slack blocks: within the limits, and no text of a mail acts as markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.chats.slack.blocks import rendered
from bot.chats.slack.buttons import Click, answered, form
from bot.chats.slack.text import escaped, pieces, plain
from bot.model import Action, Code, Fields, Level, Page, Text
from bot.report.text import one_line
from tests.chats.slack_limits import must_be_taken

# Letters that Slack, terminals or our own cutting could stumble over come often.
hostile = st.text(st.one_of(st.sampled_from("<>&`@!|*_~\r\n\u202e\x1b\ud800"), st.characters()), max_size=400)
huge = st.builds(lambda text, times: text * times, hostile, st.integers(0, 80))
words = st.one_of(hostile, huge, st.sampled_from(["<!channel>", "<@U1>", "@here", "<http://x|y>", "```", "&amp;"]))
parts = st.one_of(
    st.builds(Text, words, st.booleans()),
    st.builds(Code, words),
    st.builds(Fields, st.lists(st.tuples(words, words), max_size=15).map(tuple)),
)
links = st.one_of(st.just(""), st.just("https://lore.kernel.org/r/a@b"), words.map(lambda text: f"https://x/{text}"))
actions = st.builds(Action, words, words, st.one_of(st.just(""), links), st.one_of(st.just(""), words))
levels = st.one_of(st.none(), st.sampled_from(Level))
pages = st.builds(
    Page, words, links, levels, st.lists(parts, max_size=30).map(tuple), st.lists(actions, max_size=60).map(tuple)
)


def markup(blocks: tuple[dict[str, Any], ...]) -> Iterator[str]:
    """Every text that Slack reads for markup."""
    for block in blocks:
        if block["type"] == "actions":
            continue
        for holder in (block.get("text"), *block.get("fields", ()), *block.get("elements", ())):
            if holder:
                assert holder["type"] == "mrkdwn"
                assert holder["verbatim"] is True
                yield holder["text"]


@settings(max_examples=150, deadline=None)
@given(pages)
def test_no_page_breaks_slacks_limits(page: Page) -> None:
    shown = rendered(page)
    must_be_taken(shown.text, shown.blocks)


@settings(max_examples=150, deadline=None)
@given(pages)
def test_the_only_link_is_our_own_and_no_text_pings(page: Page) -> None:
    shown = rendered(page)
    link = re.compile(r"<https://[^<>|\s]*\|")
    for number, text in enumerate((*markup(shown.blocks), shown.text)):
        # What is left once our headline's link is taken away holds no bracket that Slack would act on.
        rest = link.sub("", text, count=1).replace(">*", "*", 1) if number == 0 and page.link else text
        assert "<" not in rest
        assert ">" not in rest
        assert not re.search(r"@(here|channel|everyone|group)", rest, re.IGNORECASE)
        assert re.search(r"&(?!amp;|lt;|gt;)", rest) is None


@settings(max_examples=150, deadline=None)
@given(words)
def test_a_code_fence_opens_and_closes_once(code: str) -> None:
    for text in list(markup(rendered(Page("h", parts=(Code(code),))).blocks))[1:]:
        if text.startswith("```"):
            assert text.endswith("\n```")
            assert text.count("```") == 2
            assert "```" not in text[3:-3]


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Cn"])).filter(lambda t: "`" not in t))
def test_slack_shows_the_very_letters(text: str) -> None:
    assert html.unescape(escaped(text)).replace("\u200b", "") == text


@given(words, st.integers(10, 200))
@example("list_del(&dev->vm_node);\r\n\r\n", 10)
def test_pieces_are_whole_and_in_order(text: str, limit: int) -> None:
    cut = list(pieces(text, limit))
    assert all(0 < len(piece) <= limit for piece in cut)
    assert "".join(cut).replace("\n", "") == escaped(text).replace("\n", "")
    assert all(re.search(r"&(?!amp;|lt;|gt;)", piece) is None for piece in cut)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("check <mailto:a.1@b.org|a.1@b.org>", "check a.1@b.org"),
        ("check <https://lore.kernel.org/r/a@b.org>", "check https://lore.kernel.org/r/a@b.org"),
        ("check <https://x.org/a?b=1&amp;c=2|x.org/a>", "check https://x.org/a?b=1&c=2"),
        ("a &lt; b &amp;&amp; c", "a < b && c"),
        ("<@U1> hello", "<@U1> hello"),
    ],
)
def test_what_slack_did_to_typed_words_is_undone(typed: str, meant: str) -> None:
    assert plain(typed) == meant


def test_a_page_that_fits_is_shown_whole() -> None:
    page = Page(
        "a < b", "https://lore.kernel.org/r/a@b", Level.ERROR, (Text("x & y"), Code("a"), Fields((("author", "Ada"),)))
    )
    assert list(markup(rendered(page).blocks)) == [
        ":red_circle: *<https://lore.kernel.org/r/a@b|a &lt; b>*",
        "x &amp; y",
        "```\na\n```",
        "*author*\nAda",
    ]
    assert rendered(page).text == "error: a &lt; b - x &amp; y"


def test_the_line_ends_of_another_system_are_line_ends() -> None:
    page = Page("h", parts=(Code("a;\r\nb;"), Text("first\r\nsecond")))
    assert list(markup(rendered(page).blocks))[1:] == ["```\na;\nb;\n```", "first\nsecond"]


def test_a_page_that_is_too_long_is_cut_before_it_is_dropped() -> None:
    long = Page("h", "https://lore.kernel.org/r/a@b", parts=(Text("first"), *(Code("line\n" * 900),) * 4))
    texts = list(markup(rendered(long).blocks))
    assert texts[1] == "first"
    assert texts[2].endswith("line\n… 501 more lines\n```")


def test_megabytes_are_cut_before_they_are_drawn() -> None:
    texts = list(markup(rendered(Page("h", parts=(Code("<" * 20_000_000), Text("and then")))).blocks))
    assert texts[-2].endswith("… cut\n```")
    assert texts[-1] == "and then"


def test_a_page_of_endless_parts_ends_in_a_link() -> None:
    endless = Page("h", "https://lore.kernel.org/r/a@b", parts=(Text("first"), *(Code("<" * 3000),) * 60))
    texts = list(markup(rendered(endless).blocks))
    assert "first" in texts[1]
    assert texts[0] == "*<https://lore.kernel.org/r/a@b|h>*"


def test_actions_are_buttons_that_carry_their_words() -> None:
    actions = (
        Action("Ack", "ack 3fa9"),
        Action("False positive", "fp 3fa9", asks="Why is it wrong?"),
        Action("Evidence", link="https://lore.kernel.org/r/a@b"),
    )
    *_, row = rendered(Page("h", actions=actions)).blocks
    assert [(one["action_id"], one.get("value"), one.get("url")) for one in row["elements"]] == [
        ("say:0", "ack 3fa9", None),
        ("ask:1", "fp 3fa9\nWhy is it wrong?", None),
        ("link:2", None, "https://lore.kernel.org/r/a@b"),
    ]
    assert [one["text"]["text"] for one in row["elements"]] == ["Ack", "False positive", "Evidence"]


def test_the_buttons_outlast_the_folding_of_a_long_page() -> None:
    page = Page("h", parts=(Code("line\n" * 9000),), actions=(Action("Ack", "ack 3fa9"),))
    assert [row["type"] for row in rendered(page).blocks] == ["section", "section", "actions"]


@given(words, words, st.text(max_size=900))
def test_a_form_gives_back_the_click_and_its_answer_in_one_line(said: str, question: str, answer: str) -> None:
    click = Click(one_line(said, 1500) or "fp 1", "C1", "1.2")
    try:
        view = form(click, question or "?")
    except ValueError:
        assert len(click.words) > 400
        return
    shown = view.to_dict()
    assert len(shown["title"]["text"]) <= 24
    assert len(shown["blocks"][0]["label"]["text"]) <= 150
    back = answered(shown["private_metadata"], answer)
    assert (back.channel, back.thread) == ("C1", "1.2")
    assert back.words.startswith(click.words)
    assert "\n" not in back.words
