"""What is read back from an outline is what was worked out of the text, whatever became of the outline's bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.code.outline import _FILES, outline_of, pieces_of, unpacked
from bot.code.pieces import _KNOWN, Pieces, cut
from bot.code.syntax import encoded
from bot.model import Image
from tests.code.test_hostile import SEED
from tests.code.test_pieces import BROKEN, FILE

TEXTS = [FILE, SEED, BROKEN + FILE, "", "int x;", "/* \udce9 */\nint f(void)\n{\n\treturn g(\udcff);\n}\n", "}\n" * 500]


def forget() -> None:
    _KNOWN.clear()
    _FILES.clear()


def told(file: Pieces) -> list[Any]:
    """All that is known of a file."""
    return [
        file.rows,
        file.declarations,
        [(p.original, p.digest, p.aliases, p.declarations) for p in file.pieces],
        [(d.place, d.text, d.flow, d.prepared, d.telling, d.words) for p in file.pieces for d in p.definitions],
    ]


@pytest.mark.parametrize("text", TEXTS)
def test_an_outline_says_what_the_text_says(text: str) -> None:
    forget()
    fresh, outline = told(cut(text)), outline_of(text)
    forget()
    assert told(unpacked(outline, encoded(text))) == fresh


def test_a_state_that_follows_an_outline_shares_its_pieces() -> None:
    outline = outline_of(FILE)
    forget()
    before = pieces_of(Image("a.c", FILE, outline=outline))
    after = pieces_of(Image("a.c", FILE.replace("+ 1", "+ 2")))
    assert [a is b for a, b in zip(after.pieces, before.pieces, strict=True)].count(False) == 1


@pytest.mark.parametrize("other", [SEED, FILE.replace("hub_sum", "sum_hub")])
def test_the_outline_of_another_text_is_not_believed(other: str) -> None:
    forget()
    fresh, wrong = told(cut(FILE)), outline_of(other)
    forget()
    assert told(pieces_of(Image("a.c", FILE, outline=wrong))) == fresh


@given(st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_broken_outline_costs_nothing_but_time(data: st.DataObject) -> None:
    outline = bytearray(outline_of(FILE))
    for place in data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=4)):
        outline[place] = data.draw(st.integers(0, 255))
    forget()
    image = Image("a.c", FILE, outline=bytes(outline[: data.draw(st.integers(0, len(outline)))]))
    assert pieces_of(image).pieces
    forget()
