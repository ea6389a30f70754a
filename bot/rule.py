"""What a rule is: a small question asked of the facts of one world, with the page that explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from bot.code.asked import asked_at
from bot.code.entries import Entries
from bot.code.exposed import Exposed
from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step
from bot.code.lifetime import Freed, Lifetime
from bot.code.needs import Needs
from bot.code.protection import ListProtection, WorldFacts
from bot.model import Evidence, Hit, Level, Role

_SHOWN = 2  # evidence lines of one role


@dataclass(frozen=True, slots=True)
class Example:
    """A patch in ' ', '+', '-' notation; lines that must be reported end in ``// <-- warns``.

    ``tree`` False: it is reviewed with no tree, seeing nothing but the lines of the example.
    """

    title: str
    text: str
    tree: bool = True


@dataclass(frozen=True, slots=True)
class Excused:
    """A place that looks like the fault and is not, with the reason: shown beside a finding on the same object."""

    subject: str
    evidence: Evidence
    reason: str


@dataclass(frozen=True)
class Code:
    """What a rule is given: the facts of one world, questions about lifetimes in it, and the world before."""

    facts: WorldFacts
    lifetime: Lifetime
    before: Code | None = None

    @classmethod
    def of(cls, facts: WorldFacts, before: Code | None = None) -> Code:
        return cls(facts, Lifetime(facts), before)

    @cached_property
    def needs(self) -> Needs:
        """What functions need their callers to hold."""
        return Needs(self.facts, self.facts.known)

    @cached_property
    def entries(self) -> Entries:
        """How control comes to functions."""
        return Entries(self.needs)


Question = Callable[[Code], Iterator[Hit | Excused]]


@dataclass(frozen=True)
class Rule:
    """A question with its page.

    ``replaces`` are rules that need not speak when this one does of the same object in the same function,
    ``replaces_anywhere`` when it does of the same object anywhere.  ``hunk_proves``: the lines of a hunk are proof
    enough, so that confidence does not fall without a tree.
    """

    name: str
    summary: str
    why: str
    instead: str
    level: Level
    confidence: float
    sources: tuple[str, ...]
    bad: tuple[Example, ...]
    good: tuple[Example, ...]
    blind_spots: tuple[Example, ...]
    ask: Question
    replaces: tuple[str, ...] = ()
    replaces_anywhere: tuple[str, ...] = ()
    hunk_proves: bool = False

    def hits(self, code: Code) -> tuple[tuple[Hit, ...], tuple[Excused, ...]]:
        """What the rule says of a world: the hits and the excused places."""
        said = tuple(self.ask(code))
        return (
            tuple(word for word in said if isinstance(word, Hit)),
            tuple(word for word in said if isinstance(word, Excused)),
        )


def rule(
    *,
    level: Level,
    confidence: float,
    sources: tuple[str, ...],
    why: str,
    instead: str,
    bad: tuple[Example, ...],
    good: tuple[Example, ...],
    blind_spots: tuple[Example, ...] = (),
    replaces: tuple[str, ...] = (),
    replaces_anywhere: tuple[str, ...] = (),
    hunk_proves: bool = False,
) -> Callable[[Question], Rule]:
    """Make a rule of a question.  Its name is the function's, its summary the docstring's first sentence."""

    def make(ask: Question) -> Rule:
        summary = " ".join((ask.__doc__ or "").split())
        name = getattr(ask, "__name__", "").replace("_", "-")
        return Rule(
            name=name,
            summary=summary,
            why=_prose(why),
            instead=_prose(instead),
            level=level,
            confidence=confidence,
            sources=sources,
            bad=bad,
            good=good,
            blind_spots=blind_spots,
            ask=ask,
            replaces=replaces,
            replaces_anywhere=replaces_anywhere,
            hunk_proves=hunk_proves,
        )

    return make


def _prose(text: str) -> str:
    return " ".join(text.split())


def hit(
    fact: Fact,
    subject: str,
    text: str,
    evidence: tuple[Evidence, ...],
    *,
    question: str = "",
    cure: str = "",
    confidence: float | None = None,
) -> Hit:
    """A hit at the place of a fact."""
    return Hit(
        path=fact.path,
        function=fact.function,
        line=fact.line,
        code=fact.code,
        subject=subject,
        text=text,
        evidence=evidence,
        question=question,
        cure=cure,
        confidence=confidence,
    )


def hit_at(
    function: Function,
    step: Step,
    subject: str,
    text: str,
    evidence: tuple[Evidence, ...],
    *,
    question: str = "",
    cure: str = "",
    confidence: float | None = None,
) -> Hit:
    """A hit at a step of a function."""
    line = function.file_line(step.line)
    return Hit(function.path, function.name, line, step.code, subject, text, evidence, question, cure, confidence)


def step_evidence(role: Role, function: Function, step: Step) -> Evidence:
    """A step as a line of evidence."""
    return Evidence(role, function.path, function.name, function.file_line(step.line), step.code)


def nothing_found(role: Role, where: str) -> Evidence:
    """Evidence of absence: it says where was looked."""
    return Evidence(role, "", "", 0, where)


def who_publishes_and_reads(protection: ListProtection) -> tuple[Evidence, ...]:
    """Evidence that a list is an RCU list: who adds to it, and who walks it."""
    publishers = protection.of(FactKind.ADD, rcu=True)
    readers = protection.of(FactKind.WALK, rcu=True)
    lines = [add.evidence(Role.PUBLISH) for add in publishers[:_SHOWN]]
    lines += [walk.evidence(Role.READER) for walk in readers[:_SHOWN]]
    if not readers:
        lines.append(nothing_found(Role.READER, "no RCU reader in sight; the _rcu primitives announce one"))
    return tuple(lines)


def free_without_wait(removal: Fact, freed: Freed | None) -> tuple[Evidence, ...]:
    """Evidence of what follows a removal: the free, and no wait before it."""
    lines = []
    if freed is not None:
        note = f"frees it in {freed.callee}()" if freed.callee else ""
        lines.append(Evidence(Role.FREE, removal.path, removal.function, freed.line, freed.code, note=note))
    looked = "no grace period between removal and free (looked in the function, callees to depth 2)"
    return (*lines, nothing_found(Role.WAIT, looked))


def entered_at(place: Exposed, nothing: str) -> tuple[Evidence, ...]:
    """Evidence of how control comes to an exposed read with nothing held."""
    if place.entry is None:
        return (nothing_found(Role.UNLOCK, "the section that the caller holds was left before"),)
    calls = tuple(step_evidence(Role.NOTE, caller, caller.flow.steps[at]) for caller, at in place.entry.calls)
    return (nothing_found(Role.LOCK, f"{place.entry.begins}; {nothing}"), *calls)


def way_down(place: Exposed) -> tuple[Evidence, ...]:
    """Evidence of the read itself, at the end of the calls from an exposed step."""
    steps = [(inner, inner.flow.steps[at]) for inner, at in place.way.steps]
    lines = tuple(step_evidence(Role.READER, inner, step) for inner, step in steps[1:][-_SHOWN:])
    last = steps[-1][1]
    if asked_at(last) is None:
        known = nothing_found(Role.READER, f"{last.name}() is not in sight; it is known to read {place.way.reads}")
        return (*lines, known)
    return lines
