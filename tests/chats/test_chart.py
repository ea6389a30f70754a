"""The chart of a digest as a picture: small, true to its figures, and harmless whatever they are."""

from __future__ import annotations

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bot.chats.chart import drawn
from bot.model import Chart

WEEK = Chart("Series a day", tuple("MTWTFSS"), (("with findings", (1, 0, 2, 0, 0, 0, 1)), ("nothing found", (4,) * 7)))
RED, GREY = (0xC0, 0x39, 0x2B), (0x9F, 0xB3, 0xC0)


def dots(chart: Chart, colour: tuple[int, int, int]) -> int:
    image = Image.open(io.BytesIO(drawn(chart))).convert("RGB")
    return sum(count for count, found in image.getcolors(1 << 20) or () if found == colour)


def test_the_picture_is_small_and_wide() -> None:
    image = Image.open(io.BytesIO(drawn(WEEK)))
    assert image.size == (1280, 480)
    assert len(drawn(WEEK)) < 20_000


def test_twice_the_figure_is_twice_the_colour() -> None:
    def one(figure: float) -> Chart:
        return Chart("t", ("a", "b"), (("n", (figure, 0)), ("m", (8 - figure, 8))))

    legend = dots(one(0), RED)
    assert dots(one(4), RED) - legend == 2 * (dots(one(2), RED) - legend) > 0


figures = st.lists(st.floats(), max_size=80).map(tuple)
names = st.text(max_size=200)


@settings(max_examples=25)
@given(
    st.builds(
        Chart,
        names,
        st.lists(names, max_size=80).map(tuple),
        st.lists(st.tuples(names, figures), max_size=9).map(tuple),
    )
)
def test_any_chart_can_be_drawn(chart: Chart) -> None:
    assert drawn(chart).startswith(b"\x89PNG")
