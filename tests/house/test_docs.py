"""The documents: fresh, their links lead somewhere, and the README names commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.generate import pages, stale

ROOT = Path(__file__).parents[2]
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def test_the_made_pages_say_what_the_code_says() -> None:
    assert list(stale()) == []
    assert len(pages()) > 12


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(path: Path) -> None:
    broken = [link for link in _LINK.findall(path.read_text("utf-8")) if not (path.parent / link).exists()]
    assert broken == []


def test_the_readme_shows_the_two_commands_first() -> None:
    first_screen = (ROOT / "README.md").read_text("utf-8")[:1500]
    assert "make run" in first_screen
    assert "make test" in first_screen
