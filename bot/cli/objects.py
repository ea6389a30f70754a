"""gracewatch objects verify: whether a tree still proves what is known of KVM's objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict

from bot.code.known import Proved, verify
from bot.model import Wanted
from bot.ports import TreeError
from bot.report.text import harmless
from bot.trees.detect import tree_for
from config.known import table

ALL, GONE = 0, 1


def run(tree: str, rev: str, *, as_json: bool) -> int:
    """Print where each proof stands, or that it is gone, and return the exit code.  Raises TreeError."""
    place = tree_for(tree, rev)
    if not place.name:
        raise TreeError("no tree to look in; name one with --tree")
    known = table()
    files = sorted({(proof.path, "") for _, proofs in known.entries() for proof in proofs})
    answer = asyncio.run(place.answer(Wanted(files=tuple(files))))
    proved = tuple(verify(known, answer.texts))
    if as_json:
        print(json.dumps({"version": 1, "tree": place.name, "proofs": [asdict(one) for one in proved]}, indent=2))
    else:
        _tell(place.name, sum(1 for _ in known.entries()), proved)
    return GONE if any(one.gone for one in proved) else ALL


def _tell(tree: str, objects: int, proved: Sequence[Proved]) -> None:
    for one in proved:
        where = f"{one.proof.path}:{one.line}" if one.line else f"GONE  {one.proof.path}: {one.gone}"
        print(harmless(f"{one.object}  {one.proof.role}  {where}  {one.proof.code}"))
    gone = sum(bool(one.gone) for one in proved)
    print(f"{objects} objects and functions, {len(proved)} proofs, {gone} gone from {harmless(tree)}")
