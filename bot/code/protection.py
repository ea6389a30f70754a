"""The facts of a whole world, gathered per object: who publishes, walks, unlinks, replaces it, and how."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from bot.code.facts import Fact, FactKind, Function, facts_of, functions_of
from bot.code.flow import StepKind
from bot.code.outline import pieces_of
from bot.code.structs import GLOBAL, LOCAL, NOWHERE, UNKNOWN, Key, Structs
from bot.code.world import OTHER_STATE
from bot.model import Evidence, Image, Known, Role, World

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class ListProtection:
    """All that the world does with nodes of one kind (``kvm_device.vm_node``), over all heads they hang on."""

    node: Key
    facts: tuple[Fact, ...]

    def of(self, kind: FactKind, *, rcu: bool | None = None, head: Key | None = None) -> tuple[Fact, ...]:
        return tuple(
            fact
            for fact in self.facts
            if fact.kind is kind and rcu in {None, fact.rcu} and (head is None or fact.head in {head, NOWHERE})
        )

    @cached_property
    def rcu_heads(self) -> frozenset[Key]:
        """Heads onto which nodes are published with an _rcu primitive, or from which RCU readers walk."""
        linked = (*self.of(FactKind.ADD, rcu=True), *self.of(FactKind.WALK, rcu=True))
        return frozenset(fact.head for fact in linked if fact.head != NOWHERE and fact.head.owner != LOCAL)

    @cached_property
    def plain_heads(self) -> frozenset[Key]:
        linked = (*self.of(FactKind.ADD, rcu=False), *self.of(FactKind.WALK, rcu=False))
        return frozenset(fact.head for fact in linked if fact.head != NOWHERE) - self.rcu_heads

    @cached_property
    def _by_function(self) -> Mapping[Function, tuple[Fact, ...]]:
        found: dict[Function, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.where, []).append(fact)
        return {function: tuple(facts) for function, facts in found.items()}

    def head_of(self, fact: Fact) -> Key | None:
        """The head that a node is on when ``fact`` happens to it; None when it cannot be told from another.

        Taken from the operation itself, from a walk or an add of the same variable in the same function, else from
        the only head there is.
        """
        if fact.head != NOWHERE:
            return fact.head
        near = {
            other.head
            for other in self._by_function.get(fact.where, ())
            if other.variable == fact.variable and other.head != NOWHERE
            if other.kind in {FactKind.WALK, FactKind.ADD} and other.step < fact.step
        }
        if len(near) == 1:
            return next(iter(near))
        heads = self.rcu_heads | self.plain_heads
        if near:
            heads = heads & near
        return next(iter(heads)) if len(heads) == 1 else None

    def published(self, fact: Fact) -> Key | None:
        """The RCU-protected head that the node is on when ``fact`` happens, None when there is none for certain."""
        head = self.head_of(fact)
        return head if head in self.rcu_heads else None


@dataclass(frozen=True, slots=True)
class PointerProtection:
    """All that the world does with one pointer field or variable that RCU readers follow."""

    field: Key
    facts: tuple[Fact, ...]
    declared: bool  # marked __rcu where the struct is defined

    def of(self, kind: FactKind, *, rcu: bool | None = None) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts if fact.kind is kind and rcu in {None, fact.rcu})

    def who_reads(self) -> tuple[Evidence, ...]:
        """Evidence of readers: one or two that follow the pointer."""
        return tuple(read.evidence(Role.READER) for read in self.of(FactKind.READ)[:2])


@dataclass(frozen=True, slots=True)
class Focus:
    """What a change can have an influence on: functions it touches, and whatever mentions the objects they handle."""

    words: frozenset[str]
    functions: frozenset[tuple[str, str]]  # (path, name)

    def holds(self, function: Function) -> bool:
        return self.changed(function) or bool(self.words & function.words)

    def changed(self, function: Function) -> bool:
        return (function.path, function.name) in self.functions


class WorldFacts:
    """One world, asked for its facts.  Everything is worked out when first asked for, and once.

    ``focus`` None reads all functions.  ``before`` is the world that this one came from, for the rules that speak of
    what a change took away; facts of functions that did not change are taken over from it.
    """

    def __init__(
        self,
        world: World,
        focus: Focus | None = None,
        before: WorldFacts | None = None,
        known: Known | None = None,
    ) -> None:
        self.world, self.focus, self.before = world, focus, before
        self.known = known or Known()
        self.structs = Structs(pieces_of(image).declarations for image in world.images)
        self.functions: tuple[Function, ...] = tuple(f for image in world.images for f in self._read(image))
        self._facts: dict[Function, tuple[Fact, ...]] = {}
        self._said: dict[Callable[[WorldFacts], Any], Any] = {}
        self._twins: dict[Function, Function] = {}  # the function in the world before, when it did not change
        if before is not None:
            self._take_over(before)

    def _read(self, image: Image) -> tuple[Function, ...]:
        """The functions of a file; of its state in another tree those that the diff itself does not show."""
        if not image.path.endswith(OTHER_STATE):
            return functions_of(image)
        worlds = (self.world, self.before.world) if self.before else (self.world,)
        shown = {
            function.name
            for world in worlds
            if (fragment := world.image(image.path.removesuffix(OTHER_STATE))) is not None
            for function in functions_of(fragment)
        }
        return tuple(function for function in functions_of(image) if function.name not in shown)

    def focused(self, focus: Focus) -> WorldFacts:
        """The same world looked at for something else; what is known of its functions is shared."""
        other = copy.copy(self)
        for name in ("in_focus", "all_facts", "lists", "pointers", "_list_by_fact"):
            other.__dict__.pop(name, None)  # what was worked out for the focus
        other.focus = focus
        return other

    def once(self, question: Callable[[WorldFacts], ResultT]) -> ResultT:
        """The answer to a question about the whole world, whatever is in focus; asked once."""
        if question not in self._said:
            self._said[question] = question(self)
        answer: ResultT = self._said[question]
        return answer

    def _take_over(self, before: WorldFacts) -> None:
        """What was worked out of functions that did not change: all of it when no struct changed either."""
        if not _same_types(self.world, before.world):
            return
        for image in self.world.images:
            old = before.world.image(image.path)
            if old is None:
                continue
            earlier = {function.name: function for function in functions_of(old)}
            for function in functions_of(image):
                twin = earlier.get(function.name)
                if twin is None or not (twin is function or twin.same_as(function)):
                    continue
                self._twins[function] = twin

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Function, ...]]:
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            found.setdefault(function.name, []).append(function)
        return {name: tuple(functions) for name, functions in found.items()}

    def defined(self, name: str, path: str) -> Function | None:
        """The definition that a call from ``path`` means: the file's own, else the only one of the world.

        Of two in one file, one is the stub of a configuration without it: the longer one is meant.
        """
        candidates = self.by_name.get(name, ())
        own = [function for function in candidates if function.path == path]
        if not own and len({function.path for function in candidates}) == 1:
            own = [function for function in candidates if not function.path.endswith(OTHER_STATE)]
        return max(own, key=lambda function: len(function.text)) if own else None

    def in_other_state(self, name: str, path: str) -> Function | None:
        """The definition in the state of the caller's own file that a tree holds, where the patches do not fit on it.

        For questions whose answer rarely changes from one state of a file to another.
        """
        other = path.removesuffix(OTHER_STATE) + OTHER_STATE
        return next((function for function in self.by_name.get(name, ()) if function.path == other), None)

    def facts(self, function: Function) -> tuple[Fact, ...]:
        found = self._facts.get(function)
        if found is None:
            twin = self._twins.get(function)
            if twin is None or self.before is None:
                found = facts_of(function, self.structs)
            else:
                known = self.before.facts(twin)
                found = known if twin is function else tuple(fact.moved(function) for fact in known)
            self._facts[function] = found
        return found

    @cached_property
    def in_focus(self) -> tuple[Function, ...]:
        """The functions that rules look at."""
        return tuple(
            function
            for function in self.functions
            if (self.telling(function) and (self.focus is None or self.focus.holds(function)))
            or (self.focus is not None and self.focus.changed(function))  # it may have lost the words
        )

    def news(self, before: WorldFacts) -> bool:
        """Whether any function that a rule could ask about, or any struct, differs from the world before."""
        if not _same_types(self.world, before.world):
            return True
        changed = changed_functions(before.world, self.world)
        return any(
            (function.path, function.name) in changed and (self.telling(function) or before.telling(function))
            for function in (*self.functions, *before.functions)
        )

    def telling(self, function: Function) -> bool:
        """Whether a function holds any word that a rule could ask about: of RCU, of lists, of what needs a section."""
        return function.telling or not function.words.isdisjoint(self._telling)

    @cached_property
    def _telling(self) -> frozenset[str]:
        return frozenset(field.member for field in self.structs.rcu_fields()) | self.known.contracts.keys()

    @cached_property
    def all_facts(self) -> tuple[Fact, ...]:
        return tuple(fact for function in self.in_focus for fact in self.facts(function))

    @cached_property
    def lists(self) -> Mapping[Key, ListProtection]:
        """The list protections by node.  A node of unknown type joins the only known one of its name in the file."""
        known: dict[tuple[str, str], set[Key]] = {}
        wanted = {FactKind.ADD, FactKind.UNLINK, FactKind.WALK}
        linked = [fact for fact in self.all_facts if fact.kind in wanted and fact.node.member]
        for fact in linked:
            if fact.node.owner not in {UNKNOWN, GLOBAL, LOCAL}:
                known.setdefault((fact.path, fact.node.member), set()).add(fact.node)
        gathered: dict[Key, list[Fact]] = {}
        for fact in linked:
            node = fact.node
            if node.owner == UNKNOWN:
                same = known.get((fact.path, node.member), set())
                node = next(iter(same)) if len(same) == 1 else Key(f"{UNKNOWN}{fact.path}", node.member)
            gathered.setdefault(node, []).append(fact)
        return {node: ListProtection(node, tuple(facts)) for node, facts in gathered.items()}

    @cached_property
    def _list_by_fact(self) -> Mapping[int, ListProtection]:
        return {id(fact): protection for protection in self.lists.values() for fact in protection.facts}

    def list_of(self, fact: Fact) -> ListProtection | None:
        """The protection that a list fact of this world belongs to."""
        return self._list_by_fact.get(id(fact))

    @cached_property
    def pointers(self) -> Mapping[Key, PointerProtection]:
        """The pointers that are declared __rcu, published with an RCU primitive, or read with rcu_dereference()."""
        declared = self.structs.rcu_fields()
        gathered: dict[Key, list[Fact]] = {}
        for fact in self.all_facts:
            if fact.kind in {FactKind.STORE, FactKind.READ} and fact.head.known:
                gathered.setdefault(fact.head, []).append(fact)
        return {
            field: PointerProtection(field, tuple(facts), field in declared)
            for field, facts in gathered.items()
            if field.owner != LOCAL and (field in declared or any(fact.rcu for fact in facts))
        }

    @cached_property
    def _mentioning(self) -> Mapping[str, tuple[Function, ...]]:
        """The functions in which the name of a function stands."""
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            for name in function.words & self.by_name.keys():
                found.setdefault(name, []).append(function)
        return {name: tuple(functions) for name, functions in found.items()}

    def callers(self, function: Function) -> tuple[tuple[Function, int], ...]:
        """Who names a function, and at which step; step -1 where the name is not called (passed, or put in a table)."""
        found: list[tuple[Function, int]] = []
        for caller in self._mentioning.get(function.name, ()):
            if caller is function:
                continue
            if function.static and caller.path != function.path:
                continue
            steps = [
                number
                for number, step in enumerate(caller.flow.steps)
                if step.kind is StepKind.CALL and step.name == function.name
            ]
            found.extend((caller, number) for number in steps or [-1])
        return tuple(found)


def _same_types(one: World, other: World) -> bool:
    """Whether two worlds define the same structs."""
    twins = {image.path: image for image in other.images}
    return all(
        (twin := twins.get(image.path)) is not None
        and (image.text == twin.text or pieces_of(image).declarations.structs == pieces_of(twin).declarations.structs)
        for image in one.images
    ) and len(one.images) == len(other.images)


def changed_functions(before: World, after: World) -> frozenset[tuple[str, str]]:
    """(path, name) of every function whose text differs between two worlds, or that only one of them has."""

    def texts(world: World, path: str) -> dict[str, str]:
        image = world.image(path)
        return {function.name: function.text for function in functions_of(image)} if image else {}

    paths: Iterable[str] = {image.path for image in (*before.images, *after.images)}
    found: set[tuple[str, str]] = set()
    for path in paths:
        if before.image(path) == after.image(path):
            continue
        old, new = texts(before, path), texts(after, path)
        found.update((path, name) for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return frozenset(found)
