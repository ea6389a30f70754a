"""A chart as a small picture: stacked columns, drawn from the figures and from nothing else."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from bot.model import Chart
from bot.report.text import harmless, one_line

_WIDTH, _HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 12, 44, 28
_SCALE = 2  # drawn larger for sharp screens
_COLOURS = ("#c0392b", "#9fb3c0", "#e0a030", "#5b7fa6")
_INK, _LINES, _PAPER = "#20343d", "#dde3e7", "#ffffff"
_MOST = 1e9  # more is drawn as this
_MOST_COLUMNS, _MOST_SERIES = 60, len(_COLOURS)


def drawn(chart: Chart) -> bytes:
    """A PNG of 1280 by 480 dots.  What is no figure above 0 is drawn as 0."""
    columns = chart.labels[:_MOST_COLUMNS]
    series = [(name, _figures(figures, len(columns))) for name, figures in chart.series[:_MOST_SERIES]]
    highest = _round_up(max((sum(stack) for stack in zip(*(figures for _, figures in series), strict=True)), default=0))
    image = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE), _PAPER)
    draw = ImageDraw.Draw(image)
    _words(draw, 12, 6, chart.title, 15)
    for number, (name, _) in enumerate(series):
        _box(draw, 12 + 150 * number, 28, 22 + 150 * number, 38, _COLOURS[number])
        _words(draw, 28 + 150 * number, 26, name, 11)
    for share in (0, 0.5, 1):
        y = _y(highest * share, highest)
        _box(draw, _LEFT, y, _WIDTH - _RIGHT, y + 0.5, _LINES)
        _words(draw, 8, y - 7, f"{highest * share:g}", 11)
    _columns(draw, columns, series, highest)
    out = io.BytesIO()
    image.quantize(32).save(out, "PNG", optimize=True)
    return out.getvalue()


def _columns(
    draw: ImageDraw.ImageDraw, labels: Sequence[str], series: Sequence[tuple[str, Sequence[float]]], highest: float
) -> None:
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    every = math.ceil(40 / step)  # labels that do not run into each other
    for at, label in enumerate(labels):
        left, below = _LEFT + step * at, 0.0
        for number, (_, figures) in enumerate(series):
            above = below + figures[at]
            if above > below:
                _box(
                    draw,
                    left + step * 0.15,
                    _y(above, highest),
                    left + step * 0.85,
                    _y(below, highest),
                    _COLOURS[number],
                )
            below = above
        if at % every == 0:
            _words(draw, left + step * 0.15, _HEIGHT - _BOTTOM + 6, label[:8], 10)


def _figures(figures: Sequence[float], length: int) -> list[float]:
    clean = [min(figure, _MOST) if figure > 0 else 0.0 for figure in figures[:length]]
    return clean + [0.0] * (length - len(clean))


def _round_up(highest: float) -> float:
    """The next even number, for a scale of whole halves."""
    return max(2 * math.ceil(highest / 2), 2)


def _y(value: float, highest: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / highest


def _box(draw: ImageDraw.ImageDraw, left: float, top: float, right: float, bottom: float, colour: str) -> None:
    draw.rectangle([round(edge * _SCALE) for edge in (left, top, right, bottom)], fill=colour)


def _words(draw: ImageDraw.ImageDraw, left: float, top: float, text: str, size: int) -> None:
    font = ImageFont.load_default(size * _SCALE)  # the one that comes with Pillow: the same picture everywhere
    draw.text((left * _SCALE, top * _SCALE), harmless(one_line(text, 40)), fill=_INK, font=font)
