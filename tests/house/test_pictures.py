"""The pictures of the documentation show what is stored, are small, and are shown somewhere."""

from __future__ import annotations

import pytest
from PIL import Image

from tests.house.pictures import PICTURES, ROOT, SHOWN, mark


def test_each_picture_has_its_state() -> None:
    assert sorted(path.stem for path in PICTURES.iterdir()) == sorted(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_shows_the_blocks_as_they_are_now(name: str) -> None:
    with Image.open(PICTURES / f"{name}.png") as picture:
        assert picture.info["blocks"] == mark(name), "make pictures, and look at them"


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_small_and_embedded(name: str) -> None:
    assert (PICTURES / f"{name}.png").stat().st_size < 100_000
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert any(f"pictures/{name}.png" in page.read_text("utf-8") for page in pages)
