"""gracewatch evaluate: reviews known changes as `check` does, and scores what was said."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bot.cli.peers import Peer
from bot.feeds.files import Files
from bot.mail import patch as patches
from bot.mail.assembly import Letter, assemble
from bot.mail.parse import parse
from bot.model import Base, Context, Finding, Message, RawMail, Series
from bot.ports import FeedError, ReviewError, Tree
from bot.review import reverse
from bot.reviewer import Reviewer
from bot.trees.none import NoTree
from bot.truth import calibrate, judged, table
from bot.truth.cases import Kind, Row, Trial, TruthError, read, trials
from bot.truth.faults import Place, functions, places_wanted
from bot.truth.score import Judgement, Outcome, Score, alarms
from config.known import known_functions


def run(
    file: Path,
    tree: Tree,
    kinds: frozenset[Kind],
    *,
    jobs: int,
    limit: int,
    patience: float,
    judgements: Path | None,
    others: Mapping[str, Peer],
    output: str,
) -> None:
    """Print the scores of a list of known changes.  Raises TruthError or FeedError."""
    rows = read(_text(file), str(file))
    known = judged.read(_text(judgements), str(judgements)) if judgements else ()
    chosen = tuple(trials(rows, kinds))[: limit or None]
    if not chosen:
        raise TruthError(f"{file}: no change of the kinds that were asked for")
    scores = asyncio.run(_scores(file.parent, rows, chosen, tree, jobs, patience, known, others))
    made = table.tables(scores, known)
    match output:
        case "json":
            print(table.document(scores))
        case "markdown":
            print(table.markdown(made), end="")
        case "calibration":
            print(calibrate.module(calibrate.seen(scores)), end="")
        case _:
            print(table.plain(made), end="")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise TruthError(f"{file} cannot be read: {fault}") from None


async def _scores(
    folder: Path,
    rows: Sequence[Row],
    chosen: Sequence[Trial],
    tree: Tree,
    jobs: int,
    patience: float,
    known: Sequence[Judgement],
    others: Mapping[str, Peer],
) -> list[Score]:
    """One score for the hunks alone, one more with the tree when there is one, and one for each peer."""
    wanted = {trial.row.case for trial in chosen}
    scores = []
    for one in [NoTree(), tree] if tree.name else [tree]:
        faults: dict[str, frozenset[Place]] = {}
        for row in rows:
            if row.kind is Kind.FIX and row.case in wanted:
                places = await _places(folder / row.file, one)
                faults[row.case] = faults.get(row.case, frozenset()) | places
        outcomes = await _outcomes(folder, chosen, one, jobs, patience)
        scores.append(Score(one.name or "hunks alone", outcomes, faults, known))
    for name, peer in others.items():
        told = await _told(folder, chosen, peer, jobs, patience)
        scores.append(Score(name, told, scores[-1].faults, known, peer=True))
    return scores


async def _told(folder: Path, chosen: Sequence[Trial], peer: Peer, jobs: int, patience: float) -> tuple[Outcome, ...]:
    """What a peer says of the same changes."""
    turn = asyncio.Semaphore(jobs)

    async def one(trial: Trial) -> Outcome:
        async with turn:
            try:
                found = [
                    await peer(reverse(series) if trial.kind is Kind.REVERSED else series, patience)
                    for series in await _series(folder / trial.row.file)
                ]
            except (FeedError, ReviewError) as fault:
                return Outcome(trial, failure=str(fault).replace(str(folder), "").strip())
            return Outcome(trial, tuple(alarm for said in found for alarm in said))

    return tuple(await asyncio.gather(*(one(trial) for trial in chosen)))


async def _places(file: Path, tree: Tree) -> frozenset[Place]:
    """The functions that a fix changes; none when it cannot be read, which its own trial tells."""
    try:
        found: frozenset[Place] = frozenset()
        for series in await _series(file):
            base = Base(tree.name)
            if tree.name and (wanted := places_wanted(series)):
                base = base.plus(wanted, await tree.answer(wanted))
            found |= await asyncio.to_thread(functions, series, base)
    except FeedError:
        return frozenset()
    return found


async def _outcomes(
    folder: Path, chosen: Sequence[Trial], tree: Tree, jobs: int, patience: float
) -> tuple[Outcome, ...]:
    """The outcomes in the order of the trials; as many at a time as there are jobs, each in a process of its own."""
    waiting = list(enumerate(chosen))[::-1]
    done: dict[int, Outcome] = {}

    async def work() -> None:
        review = Reviewer(tree, known_functions(), patience)
        try:
            while waiting:
                number, trial = waiting.pop()
                done[number] = await _outcome(folder, trial, review)
                _tell(len(done), len(chosen), tree.name)
        finally:
            review.close()

    await asyncio.gather(*(work() for _ in range(jobs)))
    return tuple(done[number] for number in range(len(chosen)))


async def _outcome(folder: Path, trial: Trial, review: Reviewer) -> Outcome:
    """What the rules say of one change; a change that cannot be read or reviewed says why."""
    found: list[Finding] = []
    context = Context.HUNK
    try:
        for series in await _series(folder / trial.row.file):
            said = await review(reverse(series) if trial.kind is Kind.REVERSED else series)
            found += said.findings
            context = said.context
    except (FeedError, ReviewError) as fault:
        return Outcome(trial, failure=str(fault).replace(str(folder), "").strip())
    return Outcome(trial, alarms(found), context)


async def _series(file: Path) -> tuple[Series, ...]:
    """The series in one file of mail, opened as the service opens them.  Raises FeedError."""
    letters: list[Letter] = []
    reason = "there is no patch in it"
    async for raw in Files([str(file)]).since(""):
        message = parse(raw) if isinstance(raw, RawMail) else raw
        if isinstance(message, Message):
            letters.append((message, patches.of(message)))
        else:
            reason = message.reason
    found = tuple(series for series in assemble(letters, datetime.now(UTC)) if series.patches)
    if not found:
        raise FeedError(reason)
    return found


def _tell(done: int, total: int, tree: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{tree or 'hunks alone'}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr)
