"""Whatever a mail holds comes back from the store as it was."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from bot.model import Code, Fields, Finding, Message, Page, Patch, Review, Series, Text
from bot.store.codec import CACHED_BYTES, dumps, loads, pack, put_together, remembered, taken_apart, unpack
from tests.store import values


@settings(deadline=None)
@given(values.pages)
def test_a_page_comes_back(page: Page) -> None:
    assert loads(Page, dumps(page)) == page


def test_text_and_code_stay_what_they_are() -> None:
    page = Page("headline", parts=(Text("same"), Code("same"), Text("same", quiet=True), Fields((("a", "b"),))))
    assert loads(Page, dumps(page)) == page


@settings(deadline=None)
@given(values.findings)
def test_a_finding_comes_back(finding: Finding) -> None:
    assert loads(Finding, dumps(finding)) == finding


@settings(deadline=None)
@given(values.reviews)
def test_a_review_comes_back(review: Review) -> None:
    assert loads(Review, dumps(review)) == review


@settings(deadline=None)
@given(values.messages, values.patches)
def test_mails_come_back(message: Message, patch: Patch) -> None:
    assert unpack(Message, pack(message)) == message
    assert unpack(Patch, pack(patch)) == patch


@settings(deadline=None)
@given(values.series)
def test_a_series_is_put_together_as_it_was_taken_apart(series: Series) -> None:
    head, parts = taken_apart(series)
    assert put_together(head, {name: pack(part) for name, part in parts.items()}) == series


def test_json_is_ascii_so_that_every_database_takes_it() -> None:
    assert dumps(Page("caf\u00e9 \udc80 \x00")).isascii()


@settings(deadline=None, max_examples=10)
@given(values.messages)
def test_a_mail_that_packs_well_is_not_kept_in_memory(message: Message) -> None:
    huge = replace(message, body="a" * CACHED_BYTES)
    remembered.cache_clear()
    assert len(pack(huge)) < CACHED_BYTES / 2
    assert unpack(Message, pack(huge)) == huge
    assert remembered.cache_info().currsize == 0
