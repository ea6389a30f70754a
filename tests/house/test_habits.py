"""The habits of the house: names, sizes, first lines, and nothing half done."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("bot", "handlers", "config") for path in (ROOT / folder).rglob("*.py"))
PYTHON = SOURCES + sorted((ROOT / "tests").rglob("*.py"))
FORBIDDEN = {"utils", "helpers", "common", "misc", "base", "manager"}
MOST_LINES, MOST_FUNCTION_LINES = 400, 40


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_sources() -> None:
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_a_file_name_says_something(path: Path) -> None:
    assert path.stem not in FORBIDDEN


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_module_is_small_and_begins_with_what_it_is_for(path: Path) -> None:
    text = path.read_text("utf-8")
    if text.strip():
        assert text.startswith('"""'), "the first line says what the module is for"
    assert len(text.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name != "versions"], ids=name)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f.name for f in functions if f.end_lineno and f.end_lineno - f.body[0].lineno >= MOST_FUNCTION_LINES]
    assert long == []


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_nothing_is_left_to_do(path: Path) -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "X" + "XX ")
    assert [line for line in path.read_text("utf-8").splitlines() if any(mark in line for mark in marks)] == []
