"""From a series and what a tree said of it to findings: all rules, asked before it and after each of its patches."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.catalog import rules
from bot.code.outline import pieces_of
from bot.code.protection import WorldFacts, changed_functions
from bot.code.sight import Sight, may_speak
from bot.code.spelling import tight
from bot.code.world import OTHER_STATE, Worlds, wanted_files, worlds
from bot.confidence import confidence
from bot.mail import diff
from bot.model import (
    Base,
    Context,
    Evidence,
    Finding,
    Hit,
    Known,
    Level,
    Patch,
    Quiet,
    Review,
    Series,
    Wanted,
    World,
)
from bot.rule import Code, Excused, Rule

_MAX_MENTIONS = 24
_MAX_DEFINITIONS = 60


def wants(series: Series, base: Base) -> Wanted:
    """What to ask the tree next; nothing once the review has all it can use.

    First the files of the diff, then the files that mention the same objects, then those that define the functions
    which touch them, then those that call functions which need a section.  Pure; to be asked again with each answer:
    ``while wanted := wants(series, base): base = base.plus(wanted, await tree.answer(wanted))``
    """
    if not base.name:
        return Wanted()
    files = wanted_files([patch.files for patch in series.patches])
    missing = tuple((path, blob) for path, blob in files.files if path not in base.texts)
    if missing:
        return Wanted(files=missing, base_commit=series.base_commit)
    drawn = worlds([patch.files for patch in series.patches], base)
    if not drawn.after:
        return Wanted()
    sight = Sight(drawn, base.known)
    near = _folders(series)
    mentions = tuple(words for words in sight.mentions() if words not in base.asked)
    if mentions:
        if len(base.asked) >= _MAX_MENTIONS:
            return Wanted()
        return Wanted(mentions=mentions[:_MAX_MENTIONS], near=near, base_commit=series.base_commit)
    names = tuple(name for name in sight.callees() if name not in base.asked)
    if names and not any(isinstance(asked, str) for asked in base.asked):
        return Wanted(definitions=names[:_MAX_DEFINITIONS], near=near, base_commit=series.base_commit)
    callers = tuple(words for words in sight.unreached() if words not in base.asked)
    return Wanted(mentions=callers, near=near, base_commit=series.base_commit) if callers else Wanted()


def _folders(series: Series) -> tuple[str, ...]:
    """The directories of the diff's C files; of those that it makes too, or the whole tree would be near."""
    paths = (file.path for patch in series.patches for file in patch.files if file.path.endswith((".c", ".h")))
    return tuple(sorted({path.rpartition("/")[0] for path in paths} - {""}))


def reverse(series: Series) -> Series:
    """The series that takes this one back: its patches undone, the last one first."""
    patches = tuple(
        replace(patch, files=tuple(diff.reverse(file) for file in patch.files)) for patch in reversed(series.patches)
    )
    return replace(series, patches=patches, cover=None)


def review(series: Series, base: Base) -> Review:
    """Ask all rules of the worlds before the series and after each of its patches.

    A finding is a hit of the last world that the first did not have.  A hit that comes and goes within the series is
    quiet.  Where the patches do not fit on the base, it is another state of the tree than their author's: it may hold
    what the series brings, so their hunks are also looked at for themselves.  Pure and CPU-bound: seconds for the
    largest series, milliseconds for most.
    """
    files = [patch.files for patch in series.patches]
    drawn = worlds(files, base, steps=bool(base.texts) or may_speak(files, base.known))
    if not drawn.misfits:
        return _reviewed(series, drawn, base)
    alone = _reviewed(series, worlds(files, Base()), Base(known=base.known))
    found = _reviewed(series, drawn, base)
    said = {(finding.rule, finding.path, finding.function) for finding in found.findings}
    more = tuple(
        finding
        for finding in alone.findings
        if finding.path in drawn.misfits and (finding.rule, finding.path, finding.function) not in said
    )
    return replace(found, findings=_in_order(found.findings + more))


def _reviewed(series: Series, drawn: Worlds, base: Base) -> Review:
    if not drawn.after:
        return Review(series.key, context=drawn.context, base=base.name, notes=drawn.notes)
    scanned = sum(pieces_of(image).functions for image in drawn.after[-1].images)
    result = Review(
        series.key, context=drawn.context, base=base.name, functions=scanned, notes=base.notes + drawn.notes
    )
    sight = Sight(drawn, base.known)
    if not sight.worth_asking:
        return result
    said = _ask(sight)
    findings = _in_order(_findings(series, drawn, said))
    return replace(result, findings=findings, quiet=tuple(dict.fromkeys(_quiet(series, said))))


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.path, finding.line, finding.rule)))


@dataclass(frozen=True, slots=True)
class _Said:
    """What the rules said of one world: hits by fingerprint, and the excused places by rule."""

    hits: Mapping[str, tuple[Rule, Hit]]
    excused: tuple[tuple[Rule, Excused], ...]


def _ask(sight: Sight) -> tuple[_Said, ...]:
    """The answers of all rules, before the series and after each patch.

    A patch that changes no function a rule could ask about changes no answer.
    """
    worlds = [facts.focused(sight.focus) for facts in sight.facts]
    before = Code.of(worlds[0])
    said = [_answers(before)]
    last = worlds[0]
    for facts in worlds[1:]:
        if facts is worlds[-1] or facts.news(last):
            said.append(_answers(Code.of(facts, before)))
            last = facts
        else:
            said.append(said[-1])
    return tuple(said)


def _answers(code: Code) -> _Said:
    hits: list[tuple[Rule, Hit]] = []
    excused: list[tuple[Rule, Excused]] = []
    for rule in rules():
        found, spared = rule.hits(code)
        hits += [(rule, hit) for hit in found]
        excused += [(rule, place) for place in spared]
    hits = [(rule, hit) for rule, hit in hits if not hit.path.endswith(OTHER_STATE)]
    return _Said(dict(_fingerprinted(_without_replaced(hits))), tuple(excused))


def _without_replaced(hits: Sequence[tuple[Rule, Hit]]) -> Iterator[tuple[Rule, Hit]]:
    """One voice for one fault: a rule that replaces another silences it on the same object of the same function."""
    taken = {(name, hit.path, hit.function, hit.subject) for rule, hit in hits for name in rule.replaces}
    everywhere = {(name, hit.subject) for rule, hit in hits for name in rule.replaces_anywhere}
    for rule, hit in hits:
        if (rule.name, hit.path, hit.function, hit.subject) in taken or (rule.name, hit.subject) in everywhere:
            continue
        yield rule, hit


def _fingerprinted(hits: Iterable[tuple[Rule, Hit]]) -> Iterator[tuple[str, tuple[Rule, Hit]]]:
    """Fingerprints: rule, path, function, code of the place, and a count for equal ones; no line number, no prose."""
    seen: Counter[tuple[str, ...]] = Counter()
    for rule, hit in hits:
        identity = (rule.name, hit.path, hit.function, tight(hit.code))
        digest = hashlib.sha256("\0".join((*identity, str(seen[identity]))).encode("utf-8", "surrogateescape"))
        seen[identity] += 1
        yield digest.hexdigest()[:16], (rule, hit)


def _findings(series: Series, drawn: Worlds, said: Sequence[_Said]) -> Iterator[Finding]:
    before, final = said[0], said[-1]
    fuzz = any("fuzz" in note for note in drawn.notes)
    changed = changed_functions(drawn.before, drawn.after[-1]) if drawn.restored else frozenset()

    def torn(hit: Hit) -> bool:
        """Whether a hit is in a line of another state, in a function that hunks change: they never stood together."""
        shown = drawn.restored.get(hit.path)
        return shown is not None and hit.line not in shown and (hit.path, hit.function) in changed

    for fingerprint, (rule, hit) in final.hits.items():
        if fingerprint in before.hits or torn(hit):
            continue
        # Introduced by the first patch from which on it never went away again.
        number = len(said) - 1
        while number > 1 and fingerprint in said[number - 1].hits:
            number -= 1
        excused = tuple(place.evidence for _, place in final.excused if place.subject == hit.subject)
        evidence = tuple(_placed(drawn, item) for item in hit.evidence + tuple(dict.fromkeys(excused)))
        context = _context(drawn, hit)
        yield Finding(
            rule=rule.name,
            level=rule.level,
            confidence=confidence(rule, context, hit.confidence, fuzz=fuzz),
            path=hit.path,
            function=hit.function,
            line=hit.line,
            text=hit.text,
            subject=hit.subject,
            touched=_patch_of_line(drawn, hit.path, hit.line) > 0,
            introduced_by=_patch(series, number).message.id,
            evidence=evidence,
            fingerprint=fingerprint,
            context=context,
            question=hit.question,
            cure=hit.cure,
            source=rule.sources[0],
        )


def _context(drawn: Worlds, hit: Hit) -> Context:
    """What one finding rests on: its own file may be a fragment while the others are whole."""
    image = drawn.after[-1].image(hit.path)
    if hit.path in drawn.restored or (drawn.restored and any(item.path in drawn.restored for item in hit.evidence)):
        return Context.NEAR
    return Context.HUNK if image is not None and not image.whole else drawn.context


def _patch(series: Series, number: int) -> Patch:
    return series.patches[number - 1]


def _patch_of_line(drawn: Worlds, path: str, line: int) -> int:
    return drawn.origin(path, line)


def _placed(drawn: Worlds, evidence: Evidence) -> Evidence:
    """Evidence with the origin of its line filled in."""
    if evidence.origin or not evidence.line:
        return evidence
    if evidence.path.endswith(OTHER_STATE):
        return replace(evidence, path=evidence.path.removesuffix(OTHER_STATE), origin="base")
    number = _patch_of_line(drawn, evidence.path, evidence.line)
    image = drawn.after[-1].image(evidence.path)
    whole = image is None or image.whole
    return replace(evidence, origin=f"patch {number}" if number else "base" if whole else "hunk")


def _quiet(series: Series, said: Sequence[_Said]) -> Iterator[Quiet]:
    """What was seen and left unsaid: excused places that are new, and faults that the series mends itself."""
    before, final = said[0], said[-1]
    old = {(rule.name, place.evidence.path, place.evidence.function, place.reason) for rule, place in before.excused}
    for rule, place in final.excused:
        if (rule.name, place.evidence.path, place.evidence.function, place.reason) not in old:
            where = f"{place.evidence.function}() {place.evidence.path}:{place.evidence.line}"
            yield Quiet(rule.name, f"{where}: {place.reason}")
    for number, answers in enumerate(said[1:-1], start=1):
        for fingerprint, (rule, hit) in answers.hits.items():
            if fingerprint in before.hits or fingerprint in final.hits:
                continue
            mended = next(k for k in range(number + 1, len(said)) if fingerprint not in said[k].hits)
            total = len(series.patches)
            yield Quiet(rule.name, f"{hit.function}() {hit.path}: fixed in {mended}/{total}")


def audit(world: World, known: Known | None = None) -> tuple[tuple[Rule, Hit], ...]:
    """Every hit of one world, whether a change brought it or not."""
    return tuple(_answers(Code.of(WorldFacts(world, known=known))).hits.values())


def suspects(world: World, known: Known | None = None) -> tuple[Finding, ...]:
    """What ``audit`` finds, as findings that no patch brought."""
    said = _answers(Code.of(WorldFacts(world, known=known)))
    return _in_order(
        Finding(
            rule=rule.name,
            level=rule.level,
            confidence=confidence(rule, Context.TREE, hit.confidence),
            path=hit.path,
            function=hit.function,
            line=hit.line,
            text=hit.text,
            subject=hit.subject,
            touched=False,
            introduced_by="",
            evidence=tuple(replace(item, origin=item.origin or "base") if item.line else item for item in hit.evidence),
            fingerprint=fingerprint,
            context=Context.TREE,
            question=hit.question,
            cure=hit.cure,
            source=rule.sources[0],
        )
        for fingerprint, (rule, hit) in said.hits.items()
    )


def at_least(findings: Iterable[Finding], confidence: float) -> tuple[Finding, ...]:
    """The findings fit for a channel: warnings and errors of at least this confidence."""
    return tuple(f for f in findings if f.level is not Level.NOTE and f.confidence >= confidence)
