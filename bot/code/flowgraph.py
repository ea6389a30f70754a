"""A function's flow under construction: steps, open ends, open guards, loops, and the labels that gotos mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.code.flow import Flow, Step, StepKind
from bot.code.spelling import flat, tight
from bot.code.syntax import Node, Source

MAX_DEPTH = 120
"""Blocks and expressions nested deeper are a GAP: nobody writes them, and they would overflow the stack."""
_MAX_STEPS = 8000
"""The rest of a longer function is a GAP: every question about a step may look at all others."""
_MAX_GUARDS = 64  # each return drops every open guard, so more of them would multiply
_CODE_WIDTH = 160
_MAX_ARGUMENT = 2000  # bytes; calls in calls repeat their arguments at each level
_QUOTABLE = 4 * _CODE_WIDTH  # bytes to look at: a statement may be a megabyte long and hold as many calls


@dataclass(slots=True)
class Scope:
    """A block that is open: the guards to drop when it is left."""

    node: int
    guards: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class Loop:
    """What ``break`` and ``continue`` leave: a loop, a scoped_guard, or a switch, which ``continue`` passes by."""

    depth: int  # scopes open outside it
    breaks: list[int] = field(default_factory=list)
    continues: list[int] = field(default_factory=list)
    switch: list[int] | None = None  # the open ends of a switch's condition
    subject: str = ""
    has_default: bool = False


class FlowGraph:
    """Adds steps at the open ends; what comes after a jump has no open end, and so no way to it."""

    def __init__(self, source: Source, function: Node) -> None:
        self.source = source
        self._first_row = function.start_point.row
        self.ends: list[int] = []
        self.scopes: list[Scope] = []
        self.loops: list[Loop] = []
        self.depth = 0
        self._steps: list[Step] = []
        self._links: list[list[int]] = []
        self._labels: dict[str, int] = {}
        self._gotos: list[tuple[int, str]] = []
        self._guards = 0
        self._quoted: tuple[int, str] = (-1, "")

    def add(self, step: Step) -> int:
        number = len(self._steps)
        self._steps.append(step)
        self._links.append([])
        for end in self.ends:
            self._links[end].append(number)
        self.ends = [number]
        return number

    def join(self, node: Node) -> int:
        """One step where several ends meet."""
        return self.add(Step(StepKind.JOIN, self.line_of(node)))

    def back(self, head: int) -> None:
        """Close a loop: the open ends go on at its head."""
        for end in self.ends:
            self._links[end].append(head)
        self.ends = []

    def beyond(self, node: Node) -> bool:
        """Whether a node is nested too deep or comes too late to be read; it is a gap then."""
        if self.depth < MAX_DEPTH and len(self._steps) < _MAX_STEPS:
            return False
        if not self._steps or self._steps[-1].kind is not StepKind.GAP:
            self.gap(node)
        return True

    def gap(self, node: Node) -> None:
        self.add(Step(StepKind.GAP, self.line_of(node)))

    def line_of(self, node: Node) -> int:
        """The line where a node begins; the function's own first line is 1."""
        return node.start_point.row + 1 - self._first_row

    def text(self, node: Node) -> str:
        return self.source.text(node)

    def argument(self, node: Node) -> str:
        """An expression as steps carry it: tight, and cut where it is longer than anyone writes."""
        return self.between(node.start_byte, node.end_byte)

    def between(self, start: int, end: int) -> str:
        return tight(self.source.original[start : min(end, start + _MAX_ARGUMENT)].decode("utf-8", "replace"))

    def code(self, node: Node) -> str:
        """The statement a step belongs to, as a reader would quote it: one line, without the body of a block."""
        if self._quoted[0] != node.id:
            body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
            end = max(body.start_byte, node.start_byte) if body is not None else node.end_byte
            end = min(end, node.start_byte + _QUOTABLE)
            text = flat(self.source.original[node.start_byte : end].decode("utf-8", "replace"))
            self._quoted = node.id, text if len(text) <= _CODE_WIDTH else text[: _CODE_WIDTH - 1] + "…"
        return self._quoted[1]

    # -- guards

    def guard(self, step: Step) -> None:
        """Let the innermost block drop a guard when it is left."""
        if self.scopes and self._guards < _MAX_GUARDS:
            self.scopes[-1].guards.append(step)
            self._guards += 1

    def open_scope(self, node: Node) -> None:
        self.scopes.append(Scope(node.id))

    def close_scope(self, node: Node) -> None:
        self.leave_scopes(len(self.scopes) - 1, node.end_point.row + 1 - self._first_row)
        self._guards -= len(self.scopes.pop().guards)

    def leave_scopes(self, depth: int, line: int) -> None:
        """Drop the guards of all scopes deeper than ``depth``, the newest first, as a jump out of them does."""
        if not self.ends:
            return  # nothing gets here
        for scope in reversed(self.scopes[depth:]):
            for guard in reversed(scope.guards):
                self.add(Step(StepKind.CALL, line, "guard_exit", guard.args, code=guard.code))

    # -- labels

    def label(self, name: str, node: Node) -> None:
        self._labels.setdefault(name, self.join(node))

    def goto(self, name: str, node: Node) -> None:
        self._gotos.append((self.join(node), name))
        self.ends = []

    def flow(self) -> Flow:
        for number, label in self._gotos:
            if label in self._labels:
                self._links[number].append(self._labels[label])
        self._link_hidden_gotos()
        self._link_hidden_conditions()
        return Flow(tuple(self._steps), tuple(tuple(dict.fromkeys(links)) for links in self._links))

    def _link_hidden_gotos(self) -> None:
        """Ways to the labels that no goto names: macros that jump (``unsafe_get_user(x, p, fault)``), and gaps."""
        named = {label for _, label in self._gotos}
        hidden = {label: number for label, number in self._labels.items() if label not in named}
        if not hidden:
            return
        places = frozenset(hidden.values())
        gap: int | None = None
        for number, step in enumerate(self._steps):
            if step.kind is StepKind.GAP:
                gap = number
            elif step.kind is StepKind.CALL and step.args and step.args[-1] in hidden:
                self._links[number].append(hidden[step.args[-1]])
            elif gap is not None and number in places:
                self._links[gap].append(number)

    def _link_hidden_conditions(self) -> None:
        """Ways to what nothing reaches behind a gap: the condition of the ``return`` before it was not shown."""
        if not any(step.kind is StepKind.GAP for step in self._steps):
            return
        reached: set[int] = set()
        gap: int | None = None
        for number, step in enumerate(self._steps):
            if number not in reached and (gap is not None or not number):
                if gap is not None:
                    self._links[gap].append(number)
                pending = [number]
                while pending:
                    if (place := pending.pop()) not in reached:
                        reached.add(place)
                        pending.extend(self._links[place])
            if step.kind is StepKind.GAP:
                gap = number
