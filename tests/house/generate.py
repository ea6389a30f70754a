"""Writes the pages that are made from the code: rules, commands, settings.  With --check, says which are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.catalog import rules
from bot.rule import Example, Rule
from config.settings import reference
from handlers.verbs import commands

DOCS = Path(__file__).parents[2] / "docs"
_MADE = "<!-- Made by `make docs`; change the code that it is made from. -->"


def pages() -> Mapping[Path, str]:
    """Every made page by its path, as it should be."""
    made = {DOCS / "rules" / f"{rule.name}.md": "\n".join(_rule(rule)) for rule in rules()}
    made[DOCS / "rules" / "index.md"] = "\n".join(_index())
    made[DOCS / "commands.md"] = "\n".join(_commands())
    made[DOCS / "settings.md"] = "\n".join(_settings())
    return {path: f"{_MADE}\n{text}\n" for path, text in made.items()}


def stale() -> Iterator[str]:
    """What differs from what the code says: pages that are missing, old, or of a rule that is gone."""
    wanted = pages()
    for path, text in wanted.items():
        if not path.exists() or path.read_text("utf-8") != text:
            yield str(path.relative_to(DOCS.parent))
    yield from (str(path.relative_to(DOCS.parent)) for path in _left_over(wanted))


def _left_over(wanted: Mapping[Path, str]) -> Iterator[Path]:
    """Pages that were made of what is gone; those that a person wrote beside them are left alone."""
    for path in sorted((DOCS / "rules").glob("*.md")):
        if path not in wanted and path.read_text("utf-8").startswith(_MADE):
            yield path


def write() -> None:
    wanted = pages()
    (DOCS / "rules").mkdir(parents=True, exist_ok=True)
    for path in _left_over(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")


def _rule(rule: Rule) -> Iterator[str]:
    yield f"\n# {rule.name}\n\n{rule.summary}\n"
    yield f"**Why.** {rule.why}\n"
    yield f"**Instead.** {rule.instead}\n"
    yield f"Level {rule.level.value}, confidence {rule.confidence:g}. Source: {'; '.join(rule.sources)}.\n"
    for title, examples in (
        ("Warns", rule.bad),
        ("Silent", rule.good),
        ("Known to be wrong", rule.blind_spots),
    ):
        if examples:
            yield f"## {title}\n"
        for example in examples:
            yield from _example(example)


def _example(example: Example) -> Iterator[str]:
    seen = "" if example.tree else " (reviewed without a tree)"
    yield f"{example.title[:1].upper()}{example.title[1:]}{seen}:\n"
    yield f"```diff\n{example.text.rstrip()}\n```\n"


def _index() -> Iterator[str]:
    yield "\n# Rules\n\n| rule | looks for | level | confidence |\n|---|---|---|---|"
    for rule in rules():
        row = (f"[{rule.name}]({rule.name}.md)", rule.summary, rule.level.value, f"{rule.confidence:g}")
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield "\n[Rules that are not built](not-built.md), and what they would have to know."


def _commands() -> Iterator[str]:
    yield "\n# Commands in chat\n"
    yield "Say them as `/rcu VERB`, as `@gracewatch VERB`, or as a plain reply in the thread of a series."
    yield "Answers are seen by you alone; add `--here` to let everyone see them.\n"
    for command in commands():
        yield f"## {command.name}\n\n`{command.usage}`: {command.summary}\n"
        if command.aliases:
            yield f"Also: {', '.join(f'`{alias}`' for alias in command.aliases)}.\n"
        yield "\n".join(("```", *command.examples, "```")) + "\n"


def _settings() -> Iterator[str]:
    yield "\n# Settings\n"
    yield "From `config/default.toml`, then the file that `--config` names, then the environment. A key `section.key`"
    yield "is `GRACEWATCH_SECTION_KEY` there, and `GRACEWATCH_SECTION_KEY_FILE` names a file that holds its value.\n"
    yield "| key | type | default | meaning |\n|---|---|---|---|"
    for row in reference():
        default = f"`{row.default}`" if row.default else ""
        yield f"| {' | '.join((f'`{row.key}`', row.type, default, _cell(row.doc)))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a page is stale")
    if not options.parse_args().check:
        write()
        return 0
    found = list(stale())
    for path in found:
        print(f"{path} does not say what the code says; run: make docs", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
