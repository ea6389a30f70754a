"""Every rule's page is executed: bad examples warn where they say, good ones are silent for all rules."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.catalog import rules
from bot.code.margin import Drawn, drawn
from bot.model import Address, Base, FileDiff, Level, Message, Patch, Review, Series, SeriesState, Subject, SubjectKind
from bot.review import reverse as undo
from bot.review import review
from bot.rule import Example, Rule

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITER = Address("Ada Writer", "ada@example.org")

BAD = [pytest.param(rule, example, id=f"{rule.name}: {example.title}") for rule in rules() for example in rule.bad]
GOOD = [pytest.param(rule, example, id=f"{rule.name}: {example.title}") for rule in rules() for example in rule.good]
BLIND = [pytest.param(rule, e, id=f"{rule.name}: {e.title}") for rule in rules() for e in rule.blind_spots]


def series_of(patches: tuple[tuple[FileDiff, ...], ...]) -> Series:
    made = []
    for number, files in enumerate(patches, start=1):
        subject = Subject("", SubjectKind.PATCH, "example", index=number, total=len(patches))
        message = Message(f"{number}@example.org", subject, WRITER, NOON, (), (), "")
        made.append(Patch(message, files))
    return Series("key", "thread", 1, "example", WRITER, len(made), SeriesState.SETTLED, NOON, patches=tuple(made))


def reviewed(example: Drawn, *, backwards: bool = False, tree: bool = True) -> Review:
    """What all rules say of an example: with its files as the tree, or seeing nothing but the hunk."""
    series = undo(series_of(example.patches)) if backwards else series_of(example.patches)
    files = after(example) if backwards else example.before
    return review(series, Base("example", files) if tree else Base())


def after(example: Drawn) -> dict[str, str]:
    """The files once the example's patch is in."""
    files = dict(example.before)
    for diff in example.patches[0]:
        files[diff.path] = "".join(f"{line[1:]}\n" for hunk in diff.hunks for line in hunk.lines if line[0] != "-")
    return files


def said(found: Review) -> list[str]:
    """The warnings in short, so that a failing test shows them."""
    return [f"{f.rule} {f.path}:{f.line} {f.function}(): {f.text}" for f in found.findings if f.level is not Level.NOTE]


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_a_bad_example_warns_at_its_marks_and_nowhere_else(rule: Rule, example: Example) -> None:
    picture = drawn(example.text)
    found = reviewed(picture, tree=example.tree)
    places = {(f.path, f.line) for f in found.findings if f.rule == rule.name}
    assert picture.marks, "a bad example needs a mark"
    assert places == picture.marks, said(found)
    assert {f.rule for f in found.findings} == {rule.name}, said(found)


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_the_reverse_of_a_bad_example_is_a_fix_and_silent(rule: Rule, example: Example) -> None:
    found = [
        line
        for line in said(reviewed(drawn(example.text), backwards=True, tree=example.tree))
        if line.startswith(rule.name)
    ]
    assert found == []


@pytest.mark.parametrize(("rule", "example"), GOOD)
def test_a_good_example_is_silent_for_all_rules(rule: Rule, example: Example) -> None:
    picture = drawn(example.text)
    assert picture.marks == frozenset()
    assert said(reviewed(picture, tree=example.tree)) == []


@pytest.mark.parametrize(("rule", "example"), BLIND)
def test_a_blind_spot_is_still_one(rule: Rule, example: Example) -> None:
    picture = drawn(example.text)
    places = {(f.path, f.line) for f in reviewed(picture, tree=example.tree).findings if f.rule == rule.name}
    assert places == picture.marks


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_an_old_fault_is_not_blamed_on_an_unrelated_line(rule: Rule, example: Example) -> None:
    """The faulty state is the base now; the patch adds a comment on top and a function below."""
    picture = drawn(example.text)
    text = "".join(
        f"=== {path}\n+/* a remark */\n"
        + "".join(f" {line}\n" for line in content.splitlines())
        + "+\n+static int unrelated(void)\n+{\n+\treturn 0;\n+}\n"
        for path, content in after(picture).items()
    )
    assert said(reviewed(drawn(text), tree=example.tree)) == []


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_a_fingerprint_survives_a_shift(rule: Rule, example: Example) -> None:
    picture = drawn(example.text)
    first = [f.fingerprint for f in reviewed(picture, tree=example.tree).findings]
    shifted = drawn("".join(_shift(example.text)))
    assert first
    assert [f.fingerprint for f in reviewed(shifted, tree=example.tree).findings] == first


def _shift(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    start = 1 if lines[0].startswith("===") else 0
    return [*lines[:start], " /* a remark */\n", " \n", *lines[start:]]


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_a_fingerprint_survives_a_rebase(rule: Rule, example: Example) -> None:
    """Another function came in above, and the whole is indented with blanks."""
    first = [f.fingerprint for f in reviewed(drawn(example.text), tree=example.tree).findings]
    lines = example.text.splitlines(keepends=True)
    start = 1 if lines[0].startswith("===") else 0
    body = [line[:1] + line[1:].replace("\t", "        ") for line in lines[start:]]
    above = [" static int above(void)\n", " {\n", " \treturn 1;\n", " }\n", " \n"]
    rebased = drawn("".join([*lines[:start], *above, *body]))
    assert [f.fingerprint for f in reviewed(rebased, tree=example.tree).findings] == first


@pytest.mark.parametrize(("rule", "example"), [one for one in BAD if one.values[1].tree])
def test_a_fingerprint_is_the_same_with_less_in_sight(rule: Rule, example: Example) -> None:
    """A version that is reviewed without the tree must not bring back what was dismissed with it."""
    picture = drawn(example.text)
    whole, less = reviewed(picture), reviewed(picture, tree=False)
    known = {(f.rule, f.path, f.function, f.line): f.fingerprint for f in whole.findings}
    for finding in less.findings:
        place = (finding.rule, finding.path, finding.function, finding.line)
        assert known.get(place, finding.fingerprint) == finding.fingerprint


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_page_is_complete(rule: Rule) -> None:
    assert rule.summary.endswith(".")
    assert rule.why
    assert rule.instead
    assert rule.sources
    assert rule.bad
    assert rule.good
    assert 0 < rule.confidence <= 1
