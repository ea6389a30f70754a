"""Every stored state of a thread, as Slack gets it: nothing in it would be refused, and it says what its text says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.chats.slack_limits import must_be_taken

LIFE = Path(__file__).parents[1] / "data" / "life"
STATES = sorted(LIFE.glob("*.json"), key=lambda path: int(path.stem.split("-")[0]))


def test_every_state_is_stored_both_ways() -> None:
    assert [state.stem for state in STATES] == sorted(
        (path.stem for path in LIFE.glob("*.txt")), key=lambda name: int(name.split("-")[0])
    )
    assert len(STATES) >= 10


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.stem)
def test_slack_would_take_it(state: Path) -> None:
    for message in json.loads(state.read_text("utf-8")):
        must_be_taken(message["text"], message["blocks"])


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.stem)
def test_the_blocks_say_what_the_text_says(state: Path) -> None:
    text = (LIFE / f"{state.stem}.txt").read_text("utf-8")
    places = set(re.findall(r"[\w/.-]+\.[ch]:\d+", text))
    labels = set(re.findall(r"^\[([^:\n]+): ", text, re.M))
    shown = state.read_text("utf-8")
    assert places
    assert [place for place in places if place not in shown] == []
    assert [label for label in labels if f'"text": "{label}"' not in shown] == []
