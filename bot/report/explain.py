"""The page of a rule: what it asks, why, what to do instead, and its examples with their known wrong answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.calibration import SEEN
from bot.model import Code, Context, Fields, Page, Text
from bot.report.precision import Precision
from bot.rule import Example, Rule


def page(rule: Rule, figures: Precision | None = None, *, whole: bool = False) -> Page:
    """A rule's page.  A chat shows the first bad example and names the others; ``whole`` brings every example.

    ``figures`` are what people found of its warnings.
    """
    parts: list[Text | Code | Fields] = [
        Text(rule.summary),
        Text(rule.why),
        Text(f"Instead: {rule.instead}"),
        Fields(
            (
                ("level", rule.level.value),
                ("confidence", f"{rule.confidence:g}"),
                ("source", ", ".join(rule.sources)),
                *((("in known changes", known),) if (known := _known(rule)) else ()),
                *((("people found it", str(figures)),) if figures and figures.verdicts else ()),
            )
        ),
    ]
    for words, examples, shown in (
        ("Warns of", rule.bad, len(rule.bad) if whole else 1),
        ("Silent for", rule.good, len(rule.good) if whole else 0),
        ("Known to be wrong about", rule.blind_spots, len(rule.blind_spots) if whole else 0),
    ):
        parts += _examples(words, examples, shown)
    return Page(rule.name, parts=tuple(parts))


def _known(rule: Rule) -> str:
    """How often the rule was right where the truth is known: ``hunk 23 of 23, tree 4 of 5``."""
    counts = ((context, SEEN.get((rule.name, context.value))) for context in Context)
    return ", ".join(f"{context} {count[0]} of {sum(count)} right" for context, count in counts if count)


def _examples(words: str, examples: tuple[Example, ...], shown: int) -> Iterator[Text | Code]:
    for example in examples[:shown]:
        yield Text(f"{words}: {example.title}")
        yield Code(example.text.rstrip("\n").expandtabs(8))
    if rest := examples[shown:]:
        yield Text(f"{words}{' also' if shown else ''}: {'; '.join(example.title for example in rest)}")


def index(rules: tuple[Rule, ...], figures: Mapping[str, Precision] | None = None) -> Page:
    """All rules with the fault that each looks for, and what people found of those that they judged."""
    said = figures or {}
    pairs = tuple((rule.name, rule.summary + _judged(said.get(rule.name))) for rule in rules)
    return Page(f"{len(rules)} rules", parts=(Fields(pairs), Text("explain RULE shows one of them", quiet=True)))


def _judged(figures: Precision | None) -> str:
    if figures is None or not figures.verdicts:
        return ""
    return f" [{figures}{'; in the digest alone' if figures.below_the_bar else ''}]"
