"""The syntax tree of one function to its flow: which step may follow which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bot.code.flow import Flow, Step, StepKind
from bot.code.fragment import GAP
from bot.code.spelling import closes_at_end, flat, split_arguments, tight
from bot.code.syntax import Node, Source, macro_name
from bot.code.vocabulary import NO_RETURN

_CODE_WIDTH = 160


@dataclass(slots=True)
class _Scope:
    """A block that is open: the guards to drop when it is left."""

    node: int
    guards: list[Step] = field(default_factory=list)


@dataclass(slots=True)
class _Loop:
    depth: int  # scopes open outside it
    breaks: list[int]
    continues: list[int] | None  # None: a switch, which continue passes by


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.steps: list[Step] = []
        self.links: list[list[int]] = []
        self.ends: list[int] = []
        self.scopes: list[_Scope] = []
        self.loops: list[_Loop] = []
        self.labels: dict[str, tuple[int, tuple[int, ...]]] = {}
        self.gotos: list[tuple[int, str]] = []
        self.label_scopes: dict[str, tuple[int, ...]] = {}

    # -- the graph

    def add(self, step: Step) -> int:
        number = len(self.steps)
        self.steps.append(step)
        self.links.append([])
        for end in self.ends:
            self.links[end].append(number)
        self.ends = [number]
        return number

    def join(self, line: int) -> int:
        return self.add(Step(StepKind.JOIN, line))

    def build(self, body: Node) -> Flow:
        self._find_labels(body, ())
        self.join(body.start_point.row + 1)
        self.statement(body)
        for number, label in self.gotos:
            if label in self.labels:
                self.links[number].append(self.labels[label][0])
        return Flow(tuple(self.steps), tuple(tuple(dict.fromkeys(links)) for links in self.links))

    def _find_labels(self, node: Node, scopes: tuple[int, ...]) -> None:
        """Which blocks hold each label: leaving the others drops their guards."""
        pending = [(node, scopes)]
        while pending:
            node, scopes = pending.pop()
            if node.type == "compound_statement":
                scopes = (*scopes, node.id)
            elif node.type == "labeled_statement" and (label := node.child_by_field_name("label")):
                self.label_scopes[self.text(label)] = scopes
            pending.extend((child, scopes) for child in node.named_children)

    def text(self, node: Node) -> str:
        return self.source.text(node)

    # -- statements

    def statement(self, node: Node) -> None:
        handler = getattr(self, f"_{node.type}", None)
        if handler is not None:
            handler(node)
        elif node.type == "comment":
            if GAP in self.text(node):
                self.add(Step(StepKind.GAP, node.start_point.row + 1))
        elif node.type.endswith("_statement") or node.type.startswith("preproc_") or node.type == "ERROR":
            for child in node.named_children:
                self.statement(child)
        else:
            self.expression(node, node)

    def _compound_statement(self, node: Node) -> None:
        self.scopes.append(_Scope(node.id))
        for child in node.named_children:
            self.statement(child)
        self.leave_scopes(len(self.scopes) - 1, node.end_point.row + 1)
        self.scopes.pop()

    def leave_scopes(self, depth: int, line: int) -> None:
        """Drop the guards of all scopes deeper than ``depth``, the newest first."""
        for scope in reversed(self.scopes[depth:]):
            for guard in reversed(scope.guards):
                self.add(Step(StepKind.CALL, line, "guard_exit", guard.args, code=guard.code))

    def _expression_statement(self, node: Node) -> None:
        for child in node.named_children:
            self.expression(child, node)

    def _declaration(self, node: Node) -> None:
        for child in node.children_by_field_name("declarator"):
            if child.type == "init_declarator":
                value = child.child_by_field_name("value")
                name = self._declared(child.child_by_field_name("declarator"))
                if value is not None:
                    self.expression(value, node, target=name)
                    self.assign(name, value, node)

    def _declared(self, node: Node | None) -> str:
        while node is not None and node.type not in {"identifier", "field_identifier"}:
            node = node.child_by_field_name("declarator")
        return self.text(node) if node is not None else ""

    def _if_statement(self, node: Node) -> None:
        condition = node.child_by_field_name("condition")
        text = self.condition(condition, node)
        consequence = node.child_by_field_name("consequence")
        alternative = node.child_by_field_name("alternative")
        line = node.start_point.row + 1
        fork = self.ends
        self.add(Step(StepKind.ASSUME, line, text, truth=True))
        if consequence is not None:
            self.statement(consequence)
        then_ends, self.ends = self.ends, list(fork)
        self.add(Step(StepKind.ASSUME, line, text, truth=False))
        if alternative is not None:
            self.statement(alternative)
        self.ends = then_ends + self.ends

    def _else_clause(self, node: Node) -> None:
        for child in node.named_children:
            self.statement(child)

    def condition(self, node: Node | None, owner: Node) -> str:
        if node is None:
            return ""
        self.expression(node, owner)
        if not self.ends or self.steps[self.ends[-1]].kind is StepKind.ASSUME:
            self.join(node.start_point.row + 1)
        text = tight(self.text(node))
        while text.startswith("(") and text.endswith(")") and closes_at_end(text):
            text = text[1:-1]
        return text

    def _while_statement(self, node: Node) -> None:
        macro = macro_name(self.source, node)
        body = node.child_by_field_name("body")
        if "guard" in macro and "for_each" not in macro:
            self._scoped_guard(node, body)
        elif macro:
            self._walk(node, macro, body)
        else:
            self._loop(node, node.child_by_field_name("condition"), body)

    def _scoped_guard(self, node: Node, body: Node | None) -> None:
        condition = node.child_by_field_name("condition")
        args = self.macro_args(condition) if condition is not None else ()
        step = Step(StepKind.CALL, node.start_point.row + 1, "guard", args, code=self.code(node))
        self.add(step)
        loop = _Loop(len(self.scopes), [], [])  # scoped_guard is a for loop in disguise: break leaves it
        self.scopes.append(_Scope(node.id, [step]))
        self.loops.append(loop)
        if body is not None:
            self.statement(body)
        self.loops.pop()
        self.leave_scopes(len(self.scopes) - 1, node.end_point.row + 1)
        self.scopes.pop()
        self.ends += loop.breaks + (loop.continues or [])

    def macro_args(self, condition: Node) -> tuple[str, ...]:
        """The arguments of an iterator macro, split at commas outside brackets in the original text."""
        text = self.text(condition)
        inner = text[text.find("(") + 1 : text.rfind(")")] if "(" in text else text
        return tuple(tight(part) for part in split_arguments(inner))

    def _walk(self, node: Node, macro: str, body: Node | None) -> None:
        condition = node.child_by_field_name("condition")
        args = self.macro_args(condition) if condition is not None else ()
        if condition is not None:
            self.expression(condition, node)
        head = self.add(Step(StepKind.WALK, node.start_point.row + 1, macro, args, code=self.code(node)))
        self._body(body, head, None)
        self.ends = [*self.ends, head] if head not in self.ends else self.ends

    def _loop(self, node: Node, condition: Node | None, body: Node | None, update: Node | None = None) -> None:
        head = self.join(node.start_point.row + 1)
        text = self.condition(condition, node)
        fork = self.ends
        endless = text in {"", "1", "true"}
        self.add(Step(StepKind.ASSUME, node.start_point.row + 1, text, truth=True))
        self._body(body, head, update)
        if endless:
            return
        after = self.ends
        self.ends = list(fork)
        self.add(Step(StepKind.ASSUME, node.start_point.row + 1, text, truth=False))
        self.ends += after

    def _body(self, body: Node | None, head: int, update: Node | None) -> None:
        """A loop's body, back to its head; the open ends are then the loop's breaks."""
        loop = _Loop(len(self.scopes), [], [])
        self.loops.append(loop)
        if body is not None:
            self.statement(body)
        self.loops.pop()
        self.ends += loop.continues or []
        if update is not None and self.ends:
            self.expression(update, update)
        for end in self.ends:
            self.links[end].append(head)
        self.ends = loop.breaks

    def _for_statement(self, node: Node) -> None:
        initializer = node.child_by_field_name("initializer")
        if initializer is not None:
            self.statement(initializer)
        self._loop(
            node,
            node.child_by_field_name("condition"),
            node.child_by_field_name("body"),
            node.child_by_field_name("update"),
        )

    def _do_statement(self, node: Node) -> None:
        head = self.join(node.start_point.row + 1)
        loop = _Loop(len(self.scopes), [], [])
        self.loops.append(loop)
        body = node.child_by_field_name("body")
        if body is not None:
            self.statement(body)
        self.loops.pop()
        self.ends += loop.continues or []
        text = self.condition(node.child_by_field_name("condition"), node) if self.ends else "0"
        if text not in {"0", "false"}:
            fork = self.ends
            self.add(Step(StepKind.ASSUME, node.end_point.row + 1, text, truth=True))
            for end in self.ends:
                self.links[end].append(head)
            self.ends = list(fork)
            if text not in {"1", "true"}:
                self.add(Step(StepKind.ASSUME, node.end_point.row + 1, text, truth=False))
            else:
                self.ends = []
        self.ends += loop.breaks

    def _switch_statement(self, node: Node) -> None:
        text = self.condition(node.child_by_field_name("condition"), node)
        fork = self.ends
        loop = _Loop(len(self.scopes), [], None)
        self.loops.append(loop)
        body = node.child_by_field_name("body")
        has_default = False
        self.ends = []
        if body is not None:
            self.scopes.append(_Scope(body.id))
            for child in body.named_children:
                if child.type == "case_statement":
                    value = child.child_by_field_name("value")
                    has_default = has_default or value is None
                    self.ends = self.ends + fork
                    self.add(
                        Step(
                            StepKind.ASSUME,
                            child.start_point.row + 1,
                            f"{text}=={tight(self.text(value))}" if value is not None else f"{text}==default",
                        )
                    )
                    for part in child.named_children:
                        if value is None or part.id != value.id:
                            self.statement(part)
                else:
                    self.statement(child)
            self.leave_scopes(len(self.scopes) - 1, node.end_point.row + 1)
            self.scopes.pop()
        self.loops.pop()
        self.ends += loop.breaks + ([] if has_default else fork)

    def _case_statement(self, node: Node) -> None:
        """A case whose switch the hunks do not show."""
        for child in node.named_children:
            self.statement(child)

    def _labeled_statement(self, node: Node) -> None:
        label = node.child_by_field_name("label")
        number = self.join(node.start_point.row + 1)
        if label is not None:
            self.labels[self.text(label)] = (number, ())
        for child in node.named_children:
            if label is None or child.id != label.id:
                self.statement(child)

    def _goto_statement(self, node: Node) -> None:
        label = self.text(node.named_children[0]) if node.named_children else ""
        kept = self.label_scopes.get(label, ())
        depth = next((i for i, scope in enumerate(self.scopes) if scope.node not in kept), len(self.scopes))
        self.leave_scopes(depth, node.start_point.row + 1)
        number = self.add(Step(StepKind.JOIN, node.start_point.row + 1))
        self.gotos.append((number, label))
        self.ends = []

    def _return_statement(self, node: Node) -> None:
        value = node.named_children[0] if node.named_children else None
        uses: frozenset[str] = frozenset()
        if value is not None:
            self.expression(value, node)
            uses = frozenset(self.followed(value))
        self.leave_scopes(0, node.start_point.row + 1)
        text = tight(self.text(value)) if value is not None else ""
        self.add(Step(StepKind.RETURN, node.start_point.row + 1, text, uses=uses, code=self.code(node)))
        self.ends = []

    def _break_statement(self, node: Node) -> None:
        if self.loops:
            self.leave_scopes(self.loops[-1].depth, node.start_point.row + 1)
            self.loops[-1].breaks += self.ends
        self.ends = []

    def _continue_statement(self, node: Node) -> None:
        loop = next((loop for loop in reversed(self.loops) if loop.continues is not None), None)
        if loop is not None and loop.continues is not None:
            self.leave_scopes(loop.depth, node.start_point.row + 1)
            loop.continues += self.ends
        self.ends = []

    # -- expressions

    def expression(self, node: Node, owner: Node, target: str = "") -> None:
        """The steps of an expression, inner calls first."""
        kind = node.type
        if kind == "call_expression":
            self.call(node, owner, target)
        elif kind == "assignment_expression":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            name = tight(self.text(left)) if left is not None else ""
            if left is not None:
                self.expression(left, owner)
            if right is not None:
                self.expression(right, owner, target=name)
                self.assign(name, right, owner, left)
        elif kind == "compound_statement":  # a GNU statement expression
            self._compound_statement(node)
        elif kind in {"parenthesized_expression", "cast_expression"}:
            for child in node.named_children:
                self.expression(child, owner, target)
        elif kind in {"sizeof_expression", "alignof_expression", "offsetof_expression", "string_literal"}:
            return
        elif kind.endswith("_statement"):
            self.statement(node)
        else:
            for child in node.named_children:
                self.expression(child, owner)

    def assign(self, name: str, value: Node, owner: Node, left: Node | None = None) -> None:
        uses = set(self.followed(value))
        if left is not None:
            uses.update(self.followed(left))
        line = (left or value).start_point.row + 1
        text = tight(self.text(value))
        self.add(Step(StepKind.ASSIGN, line, name, value=text, uses=frozenset(uses), code=self.code(owner)))

    def call(self, node: Node, owner: Node, target: str) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        args = [child for child in (arguments.named_children if arguments else ()) if child.type != "comment"]
        for child in args:
            self.expression(child, owner)
        texts = tuple(tight(self.text(child)) for child in args)
        name = tight(self.text(function)) if function is not None else ""
        line = node.start_point.row + 1
        if function is not None and function.type == "call_expression":  # guard(rcu)() and CLASS(x, y)(z)
            inner = function.child_by_field_name("function")
            inner_args = function.child_by_field_name("arguments")
            name = self.text(inner) if inner is not None else ""
            texts = (
                tuple(tight(self.text(child)) for child in (inner_args.named_children if inner_args else ())) + texts
            )
        uses = frozenset(use for child in args for use in self.followed(child)) | (
            frozenset(self.followed(function)) if function is not None else frozenset()
        )
        step = Step(StepKind.CALL, line, name, texts, target=target, uses=uses, code=self.code(owner))
        self.add(step)
        if name == "guard" and self.scopes:
            self.scopes[-1].guards.append(step)
        elif name in NO_RETURN:
            self.ends = []

    def followed(self, node: Node) -> Iterator[str]:
        """The pointers that evaluating an expression follows: p of ``p->x``, ``*p`` and ``p[i]``."""
        pending = [node]
        while pending:
            node = pending.pop()
            if node.type in {"sizeof_expression", "offsetof_expression", "compound_statement"}:
                continue
            if node.type in {"field_expression", "pointer_expression", "subscript_expression"}:
                argument = node.child_by_field_name("argument")
                operator = node.child_by_field_name("operator")
                arrow = operator is not None and self.text(operator) in {"->", "*"}
                if argument is not None and (arrow or node.type == "subscript_expression"):
                    yield tight(self.text(argument))
            pending.extend(node.named_children)

    def code(self, node: Node) -> str:
        """The statement a step belongs to, as a reader would quote it: one line, without the body of a block."""
        body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
        text = self.text(node) if body is None else self.text(node)[: max(body.start_byte - node.start_byte, 0)]
        text = flat(text)
        return text if len(text) <= _CODE_WIDTH else text[: _CODE_WIDTH - 1] + "…"


def flow_of(source: Source, function: Node) -> Flow:
    """The flow of a function definition.  Code nested beyond Python's recursion limit gives an empty flow."""
    body = function.child_by_field_name("body")
    if body is None:
        return Flow((), ())
    try:
        return _Builder(source).build(body)
    except RecursionError:
        return Flow((), ())
