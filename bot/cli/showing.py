"""Prints pages on the terminal."""

from __future__ import annotations

import shutil
import sys

from bot.model import Page
from bot.report.text import render


def show(*pages: Page) -> None:
    """Print pages as text, with an empty line after each; letters that the terminal lacks are replaced."""
    width = min(shutil.get_terminal_size().columns, 120)
    encoding = sys.stdout.encoding or "utf-8"
    for page in pages:
        sys.stdout.write((render(page, width) + "\n").encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
