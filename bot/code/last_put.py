"""Objects that leave the structure they are found in only when their last reference is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.code.facts import Fact, FactKind, Function
from bot.code.flow import Step, StepKind
from bot.code.protection import WorldFacts
from bot.code.structs import Key
from bot.code.vocabulary import REFERENCE_ZERO
from bot.model import Evidence, Role

_ERASE = re.compile(r"_*(?:xa_erase(?:_irq|_bh)?|idr_remove|radix_tree_delete|rhashtable_remove_fast)")
_FREES = frozenset({"kfree", "kvfree", "kfree_sensitive", "kvfree_sensitive", "vfree"})
_MEMBER = re.compile(r"&(\w+)->([\w.]+)$")


def counted_by(code: WorldFacts, function: Function, step: Step) -> tuple[str, Key] | None:
    """The object and the field of its count, of a call such as kref_put(&g->ref, ..) or an assumption about one."""
    argument = step.args[0] if step.args else step.name.partition("(")[2].rstrip(")").split(",")[0]
    match = _MEMBER.match(argument)
    key = code.structs.resolve(argument, function.variables) if match else None
    return (match[1], key) if match and key and key.known else None


def unlinked_last(code: WorldFacts, function: Function) -> Iterator[tuple[Key, Evidence]]:
    """The counts whose fall to nought is what makes the object leave the structure that it is found in."""
    if not REFERENCE_ZERO.search(function.text):
        return
    for number, step in enumerate(function.flow.steps):
        if not REFERENCE_ZERO.search(step.name) or (counted := counted_by(code, function, step)) is None:
            continue
        if step.kind is StepKind.CALL and len(step.args) > 1:
            release = code.defined(step.args[1], function.path)
            removal = _removal(code, release, "", 0) if release else None
        elif step.kind is StepKind.ASSUME and step.truth:
            removal = _removal(code, function, counted[0], number)
        else:
            removal = None
        if removal:
            yield counted[1], removal


def freed_last(code: WorldFacts, function: Function) -> Iterator[tuple[Key, Fact]]:
    """The counts whose fall to nought frees the object at once, and the free; none where anything waits or defers.

    Objects of a slab cache of their own are left out: the cache may be SLAB_TYPESAFE_BY_RCU.
    """
    if not REFERENCE_ZERO.search(function.text):
        return
    for number, step in enumerate(function.flow.steps):
        if not REFERENCE_ZERO.search(step.name) or (counted := counted_by(code, function, step)) is None:
            continue
        if step.kind is StepKind.CALL and len(step.args) > 1:
            release = code.defined(step.args[1], function.path)
            freed = _free(code, release, "", 0) if release else None
        elif step.kind is StepKind.ASSUME and step.truth:
            freed = _free(code, function, counted[0], number)
        else:
            freed = None
        if freed:
            yield counted[1], freed


def _free(code: WorldFacts, function: Function, variable: str, start: int) -> Fact | None:
    """The kfree() of the counted object behind ``start``, where nothing in the function knows of readers."""
    facts = code.facts(function)
    if any(fact.kind in {FactKind.WAIT, FactKind.DEFER} or fact.rcu for fact in facts):
        return None
    behind = set(function.flow.after(start))
    for fact in facts:
        if fact.kind is FactKind.FREE and fact.name in _FREES and fact.step in behind:
            whole = fact.variable == variable or (not variable and _contained(function, fact.variable))
            if whole:
                return fact
    return None


def _contained(function: Function, variable: str) -> bool:
    """Whether a variable is what contains the kref that the release was handed."""
    return function.aliases.get(variable, "").startswith(("container_of(", "to_"))


def _removal(code: WorldFacts, function: Function, variable: str, start: int) -> Evidence | None:
    """The step behind ``start`` that takes the object out of its structure."""
    behind = set(function.flow.after(start))
    unlinks: dict[int, Fact] = {
        fact.step: fact
        for fact in code.facts(function)
        if fact.kind is FactKind.UNLINK and variable in {"", fact.variable}
    }
    for number in sorted(behind):
        step = function.flow.steps[number]
        erases = step.kind is StepKind.CALL and _ERASE.fullmatch(step.name)
        if number in unlinks or (erases and (not variable or any(variable in arg for arg in step.args))):
            return Evidence(Role.REMOVE, function.path, function.name, function.file_line(step.line), step.code)
    return None
