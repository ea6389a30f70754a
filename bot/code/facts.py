"""What happens to which object in one function: its list and pointer operations, waits, frees and sleeps."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice

from bot.code import vocabulary as words
from bot.code.flow import Flow, Step, StepKind
from bot.code.outline import pieces_of
from bot.code.pieces import Definition
from bot.code.sections import Held, Lock
from bot.code.structs import NOWHERE, UNKNOWN, Key, Structs, object_of
from bot.code.vocabulary import LockCall
from bot.model import Evidence, Image, Role

_TYPEOF = re.compile(r"(?:__)?+typeof(?:__)?+\(\*?+(\w++)\)")

_MAX_FACTS = 400  # of one function; real ones reach 380, and each is asked about against all steps


class FactKind(enum.Enum):
    ADD = enum.auto()
    UNLINK = enum.auto()
    WALK = enum.auto()
    STORE = enum.auto()  # a pointer that readers follow is replaced or cleared
    READ = enum.auto()  # rcu_dereference() and its like
    WAIT = enum.auto()
    DEFER = enum.auto()  # freed or called back after a grace period
    FREE = enum.auto()
    SLEEP = enum.auto()

    __hash__ = object.__hash__  # each is there once; by name, as Enum does it, sets of them are slow


class Function:
    """A function definition at its place in a file."""

    def __init__(self, image: Image, definition: Definition, row: int) -> None:
        self.image, self.definition = image, definition
        self.path, self.name, self.text = image.path, definition.name, definition.text
        self._row = row

    def __repr__(self) -> str:
        return f"{self.name}() of {self.path}:{self.line}"

    @cached_property
    def line(self) -> int:
        return self.file_line(1)

    @property
    def signature(self) -> str:
        return self.definition.signature

    @property
    def static(self) -> bool:
        return self.signature.startswith("static ")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return self.definition.parameters

    @property
    def words(self) -> frozenset[str]:
        """Every word outside of comments: who is named in a remark is not called."""
        return self.definition.words

    @property
    def flow(self) -> Flow:
        return self.definition.flow

    @property
    def held(self) -> tuple[Held, ...]:
        return self.definition.held

    @property
    def locks(self) -> tuple[tuple[int, Lock, LockCall], ...]:
        """The steps that take or drop something, with what they do."""
        return self.definition.locks

    @property
    def sections(self) -> int:
        """How many times the function enters a read-side section by a call of its own."""
        return self.definition.sections

    @property
    def telling(self) -> bool:
        """Whether it holds a word of RCU or of lists, under its own or another name."""
        return self.definition.telling

    @property
    def variables(self) -> Mapping[str, str]:
        return self.definition.variables

    @property
    def aliases(self) -> Mapping[str, str]:
        """Variables that stand for one expression all through: assigned once."""
        return self.definition.aliases

    @property
    def clean(self) -> bool:
        """Whether the parser understood all of it."""
        return self.definition.clean

    @property
    def comment_above(self) -> str:
        return self.definition.comment_above

    def file_line(self, line: int) -> int:
        """The line of the file that is line ``line`` of the function, the first being 1."""
        return self.image.file_line(self._row + line)

    def same_as(self, other: Function) -> bool:
        """Whether it is the same function in another state of its file, perhaps in another place."""
        return self.definition is other.definition or self.definition.same_as(other.definition)

    def quote(self, step: Step) -> str:
        return step.code


@dataclass(frozen=True, slots=True)
class Fact:
    """One operation at one step.

    ``variable`` is the C expression of the object (``dev`` of ``&dev->vm_node``); ``node`` and ``head`` are what a list
    operation works on, for pointers ``head`` is the field.  ``rcu`` says that the primitive is the RCU form.
    """

    kind: FactKind
    name: str
    step: int
    line: int  # of the file
    code: str
    where: Function
    variable: str = ""
    value: str = ""
    node: Key = NOWHERE
    head: Key = NOWHERE
    rcu: bool = False
    flavour: str = ""

    @property
    def function(self) -> str:
        return self.where.name

    @property
    def path(self) -> str:
        return self.where.path

    def moved(self, function: Function) -> Fact:
        """The same fact of the same function in another state of its file."""
        return replace(self, where=function, line=function.file_line(function.flow.steps[self.step].line))

    def evidence(self, role: Role, note: str = "") -> Evidence:
        return Evidence(role, self.path, self.function, self.line, self.code, note=note)


@lru_cache(maxsize=256)  # trees are large
def functions_of(image: Image) -> tuple[Function, ...]:
    """The functions of an image, in order."""
    file = pieces_of(image)
    return tuple(
        Function(image, definition, row + definition.place.row)
        for piece, row in zip(file.pieces, file.rows, strict=True)
        for definition in piece.definitions
    )


def variable_of(argument: str) -> str:
    """``dev`` of ``&dev->vm_node``, ``a->b`` of ``&a->b->node``, ``x`` of ``x`` and ``&x.node``."""
    return object_of(argument)


def facts_of(function: Function, structs: Structs) -> tuple[Fact, ...]:
    """Every fact of a function, in the order of its steps."""
    return tuple(islice(_Reader(function, structs).facts(), _MAX_FACTS))


def _argument(step: Step, number: int | None) -> str:
    if number is None:
        return ""
    return step.args[number] if -len(step.args) <= number < len(step.args) else ""


class _Reader:
    """Reads the steps of one function with the table of kernel names."""

    def __init__(self, function: Function, structs: Structs) -> None:
        self.function, self.structs = function, structs
        self.number, self.step = 0, Step(StepKind.JOIN)

    def facts(self) -> Iterator[Fact]:
        for number, step in enumerate(self.function.flow.steps):
            self.number, self.step = number, step
            if step.kind is StepKind.CALL:
                yield from self.list_call(step)
                yield from self.pointer_call(step)
                yield from self.waiting_call(step)
            if step.name in words.WALKS and step.kind in {StepKind.CALL, StepKind.WALK}:
                yield self.walk(step)
            elif step.kind is StepKind.ASSIGN and ("->" in step.name or "." in step.name or "[" in step.name):
                yield self.make(
                    FactKind.STORE, variable=variable_of(step.name), head=self.key(step.name), value=step.value
                )

    def key(self, expression: str) -> Key:
        return self.structs.resolve(expression, self.function.variables, self.function.aliases)

    def make(
        self,
        kind: FactKind,
        *,
        variable: str = "",
        value: str = "",
        node: Key = NOWHERE,
        head: Key = NOWHERE,
        rcu: bool = False,
        flavour: str = "",
    ) -> Fact:
        step = self.step
        line = self.function.file_line(step.line)
        return Fact(
            kind, step.name, self.number, line, step.code, self.function, variable, value, node, head, rcu, flavour
        )

    def list_call(self, step: Step) -> Iterator[Fact]:
        if (add := words.ADDS.get(step.name) or words.REPLACES.get(step.name)) is not None:
            yield self.linked(FactKind.ADD, add.node, add.head, rcu=add.rcu)
        if step.name in words.REPLACES:
            yield self.linked(FactKind.UNLINK, 0, None, rcu=words.REPLACES[step.name].rcu)
        elif (unlink := words.UNLINKS.get(step.name)) is not None:
            yield self.linked(FactKind.UNLINK, unlink.node, None, rcu=unlink.rcu)
        elif step.name in words.MOVES:
            yield self.linked(FactKind.UNLINK, 0, None, rcu=False)
            yield self.linked(FactKind.ADD, 0, 1, rcu=False)
        if (emptied := words.SPLICES.get(step.name)) is not None:  # the nodes are not named
            argument = _argument(step, emptied)
            yield self.make(FactKind.UNLINK, variable=variable_of(argument), head=self.key(argument))

    def linked(self, kind: FactKind, node: int | None, head: int | None, *, rcu: bool) -> Fact:
        argument = _argument(self.step, node)
        place = self.key(_argument(self.step, head)) if head is not None else NOWHERE
        return self.make(kind, variable=variable_of(argument), node=self.key(argument), head=place, rcu=rcu)

    def pointer_call(self, step: Step) -> Iterator[Fact]:
        pointer = _argument(step, 0)
        if step.name in words.STORES:
            yield self.make(
                FactKind.STORE,
                variable=variable_of(pointer),
                head=self.key(pointer),
                value=_argument(step, 1),
                rcu=True,
            )
        elif step.name in words.READS:
            yield self.make(FactKind.READ, head=self.key(pointer), rcu=True, flavour=words.READS[step.name])

    def waiting_call(self, step: Step) -> Iterator[Fact]:
        name = step.name
        if (wait := words.wait_of(name)) is not None:
            flavour, domain = wait
            yield self.make(FactKind.WAIT, flavour=flavour, value=_argument(step, domain))
        elif (argument := words.deferred_argument(name)) is not None:
            yield self.make(FactKind.DEFER, variable=_argument(step, argument))
        elif name in words.FREES:
            yield self.make(FactKind.FREE, variable=_argument(step, words.FREES[name]))
        elif re.search(r"(->|\.)(\w+)$", name) and re.split(r"->|\.", name)[-1] in words.OPS_FREES and step.args:
            yield self.make(FactKind.FREE, variable=step.args[0], value="ops")
        if name in words.SLEEPS or (name in words.ALLOCATORS and words.SLEEPING_GFP.search(" ".join(step.args))):
            yield self.make(FactKind.SLEEP)

    def walk(self, step: Step) -> Fact:
        walk = words.WALKS[step.name]
        cursor, head, member = (_argument(step, place) for place in (walk.cursor, walk.head, walk.member))
        if cursor:
            owner = self.function.variables.get(cursor, UNKNOWN)
        else:  # list_first_entry(head, struct x, member)
            owner = self.entry_type(step)
            cursor = step.target
        return self.make(
            FactKind.WALK,
            variable=cursor,
            node=self.structs.member(owner, member) if member else NOWHERE,
            head=self.head(head) if head else NOWHERE,
            rcu=walk.rcu,
            flavour=walk.flavour if walk.rcu else "",
            value=_argument(step, walk.condition),
        )

    def head(self, expression: str) -> Key:
        """The head that a walk starts from; of a variable that was handed in, the one that it is set to besides."""
        key = self.key(expression)
        if key.known or not expression.isidentifier():
            return key
        given = {
            step.value
            for step in self.function.flow.steps
            if step.kind is StepKind.ASSIGN and step.name == expression and "->" in step.value
        }
        return self.key(given.pop()) if len(given) == 1 else key

    def entry_type(self, step: Step) -> str:
        """The struct that a macro leads to, by its argument ``struct x`` or ``typeof(*p)``, else by its receiver."""
        for argument in step.args:
            if argument.startswith("struct "):
                return argument.split()[-1]
            if found := _TYPEOF.match(argument):
                return self.function.variables.get(found[1], UNKNOWN)
        return self.function.variables.get(step.target, UNKNOWN)
