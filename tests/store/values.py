"""Hypothesis strategies for the model's values, with strings as hostile as mail makes them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from bot.model import (
    Action,
    Address,
    Chart,
    Code,
    Delivery,
    Fields,
    FileDiff,
    Finding,
    Hunk,
    Message,
    Page,
    Patch,
    Review,
    Series,
    Subject,
    Text,
    Trailer,
)

# Every code point: lone surrogates come from bytes that are no UTF-8, NULs from whoever sends them.
texts = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=12), st.sampled_from(["", "\\0041"])
)
moments = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  made aware here


def _register() -> None:
    st.register_type_strategy(str, texts)
    st.register_type_strategy(datetime, moments)
    st.register_type_strategy(float, st.floats(0, 1))


_register()
messages = st.builds(Message)
patches = st.builds(Patch, files=st.lists(st.builds(FileDiff), max_size=2).map(tuple))
series = st.builds(
    Series,
    cover=st.none() | messages,
    patches=st.lists(patches, max_size=3).map(tuple),
    replies=st.lists(messages, max_size=2).map(tuple),
)
numbers = st.lists(st.floats(0, 1), max_size=2).map(tuple)
charts = st.builds(Chart, series=st.lists(st.tuples(texts, numbers), max_size=2).map(tuple))
parts = st.lists(st.one_of(*(st.builds(kind) for kind in (Text, Code, Fields))), max_size=2).map(tuple)
actions = st.lists(st.builds(Action, words=texts, link=texts, asks=texts), max_size=2).map(tuple)
pages = st.builds(Page, parts=parts, actions=actions, chart=st.none() | charts)
findings = st.builds(Finding)
reviews = st.builds(Review, findings=st.lists(findings, max_size=2).map(tuple))
deliveries = st.builds(
    Delivery,
    page=pages,
    attempts=st.integers(0, 1000),
    slot=texts,
    about=st.lists(texts, max_size=2).map(tuple),
    broadcast=st.booleans(),
)
small = st.one_of(*(st.builds(kind) for kind in (Address, Subject, Trailer, Hunk, Text, Code, Fields)))
