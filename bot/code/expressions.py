"""The steps of an expression: calls and assignments in the order of evaluation, and the ways that a condition opens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from bot.code.flow import Step, StepKind
from bot.code.flowgraph import FlowGraph
from bot.code.syntax import Node
from bot.code.vocabulary import GUARD_MAKERS, NO_RETURN

_UNEVALUATED = frozenset({"sizeof_expression", "alignof_expression", "offsetof_expression", "string_literal"})
_SEQUENCED = frozenset(
    {"call_expression", "assignment_expression", "conditional_expression", "compound_statement", "binary_expression"}
)
_WRAPPERS = frozenset({"parenthesized_expression", "cast_expression"})
_FOLLOWED = frozenset({"field_expression", "pointer_expression", "subscript_expression"})
_NOTHING = frozenset({"NULL", "0", "false", "((void*)0)"})
# Macros whose value is the truth of their first argument.
_TRANSPARENT = frozenset(
    {"likely", "unlikely", "WARN_ON", "WARN_ON_ONCE", "WARN", "WARN_ONCE", "KVM_BUG_ON", "KVM_BUG", "KVM_MMU_WARN_ON",
     "VM_WARN_ON", "VM_WARN_ON_ONCE", "DEBUG_NET_WARN_ON_ONCE", "__builtin_expect"}
)  # fmt: skip
_MAX_FOLLOWED = 500  # parts of an expression that are looked at for pointers: calls in calls repeat them
Ways = tuple[list[int], list[int]]
"""The open ends where a condition is true, and where it is false."""


class Expressions(FlowGraph):
    """Lowers expressions; ``compound`` lowers the block of a GNU statement expression."""

    def compound(self, node: Node) -> None:
        raise NotImplementedError

    def expression(self, node: Node, owner: Node, target: str = "") -> None:
        """The steps of an expression, inner calls first.  ``target`` is the variable that receives its value."""
        if self.beyond(node):
            return
        self.depth += 1
        node = _unwrapped(node)
        kind = node.type
        if kind == "call_expression":
            self._call(node, owner, target)
        elif kind == "assignment_expression":
            self._assignment(node, owner)
        elif kind == "conditional_expression":
            self._choice(node, owner, target)
        elif kind == "compound_statement":
            self.compound(node)
        elif _logical(node):
            true, false = self.condition(node, owner)
            self.ends = true + false
        else:
            for part in self._parts(node):
                self.expression(part, owner)
        self.depth -= 1

    def _parts(self, node: Node) -> Iterator[Node]:
        """What has an order of its own inside an expression that has none, left to right."""
        pending = list(reversed(node.named_children))
        while pending:
            part = pending.pop()
            kind = part.type
            if kind in _UNEVALUATED:
                continue
            if kind in _SEQUENCED and (kind != "binary_expression" or _logical(part)):
                yield part
            elif part.named_child_count:
                pending.extend(reversed(part.named_children))

    def _assignment(self, node: Node, owner: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        name = self.argument(left)
        self.expression(left, owner)
        operator = node.child_by_field_name("operator")
        plain = _spelled(operator) == "="
        self.expression(right, owner, target=name if plain else "")
        self.assign(name, right, owner, left)

    def assign(self, name: str, value: Node, owner: Node, left: Node | None = None) -> None:
        """The step that gives ``name`` a value, which has been lowered already."""
        uses = set(self.followed(value))
        if left is not None:
            uses.update(self.followed(left))
        text = self.argument(value)
        self.add(
            Step(
                StepKind.ASSIGN,
                self.line_of(left or value),
                name,
                value=text,
                uses=frozenset(uses),
                code=self.code(owner),
            )
        )

    def _choice(self, node: Node, owner: Node, target: str) -> None:
        """``c ? a : b``"""
        true, false = self.condition(node.child_by_field_name("condition"), owner)
        ends: list[int] = []
        for way, name in ((true, "consequence"), (false, "alternative")):
            self.ends = way
            branch = node.child_by_field_name(name)
            if branch is not None:
                self.expression(branch, owner, target)
            ends += self.ends
        self.ends = ends

    def _call(self, node: Node, owner: Node, target: str) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None:
            return
        args, texts = _children(arguments), self._texts(arguments)
        if function.type == "call_expression":  # guard(rcu)() and CLASS(x, y)(z)
            inner = function.child_by_field_name("arguments")
            args, texts = _children(inner) + args, self._texts(inner) + texts
            function = function.child_by_field_name("function") or function
        for child in args:
            self.expression(child, owner)
        name = self.argument(function)
        name = self.source.aliases.get(name, name)
        if name in GUARD_MAKERS:
            name, texts = "guard", texts[:1] + texts[GUARD_MAKERS[name] :]
        uses = frozenset(use for child in (*args, function) for use in self.followed(child))
        step = Step(StepKind.CALL, self.line_of(node), name, texts, target=target, uses=uses, code=self.code(owner))
        self.add(step)
        if name == "guard":
            self.guard(step)
        elif name in NO_RETURN:
            self.ends = []

    def _texts(self, arguments: Node | None) -> tuple[str, ...]:
        """The arguments as spelled, with what the pre-pass blanked: "struct x" of list_entry(p, struct x, m)."""
        if arguments is None:
            return ()
        children = arguments.children
        if any(child.type == "comment" for child in children):
            return tuple(self.argument(child) for child in _children(arguments))
        marks = [child for child in children if child.type in {"(", ",", ")"}]
        texts = (self.between(left.end_byte, right.start_byte) for left, right in pairwise(marks))
        return tuple(texts) if len(children) > 2 else ()

    # -- conditions

    def condition(self, node: Node | None, owner: Node) -> Ways:
        """Lower a condition up to its two outcomes: each operand of && and || is evaluated only where it has to be."""
        if node is None:
            return self.ends, []
        if self.beyond(node):
            return list(self.ends), list(self.ends)
        self.depth += 1
        node, truth = self._positive(node)
        ways = self._chain(node, owner) if _logical(node) else self._outcomes(node, owner)
        self.depth -= 1
        return ways if truth else (ways[1], ways[0])

    def _positive(self, node: Node) -> tuple[Node, bool]:
        """A condition without its wrappings, and whether it or its contrary is meant."""
        truth = True
        while True:
            node = _unwrapped(node)
            operator = node.child_by_field_name("operator")
            sign = _spelled(operator)
            inner: Node | None = None
            if node.type == "unary_expression" and sign == "!":
                inner, truth = node.child_by_field_name("argument"), not truth
            elif node.type == "binary_expression" and sign in {"==", "!="}:
                inner = self._compared_with_nothing(node)
                truth = truth if inner is None else truth is (sign == "!=")
            elif node.type == "call_expression":
                function, args = node.child_by_field_name("function"), node.child_by_field_name("arguments")
                if function is not None and self.argument(function) in _TRANSPARENT:
                    inner = next(iter(_children(args)), None)
            if inner is None:
                return node, truth
            node = inner

    def _compared_with_nothing(self, node: Node) -> Node | None:
        """``p`` of ``p == NULL`` and ``0 != p``."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return None
        if right.end_byte - right.start_byte < 12 and self.argument(right) in _NOTHING:
            return left
        return right if left.end_byte - left.start_byte < 12 and self.argument(left) in _NOTHING else None

    def _chain(self, node: Node, owner: Node) -> Ways:
        """``a && b && c``, however long."""
        sign = _operator(node)
        operands = []
        while _operator(node) == sign:
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is None or right is None:
                break
            operands.append(right)
            node = left
        decided: list[int] = []
        for operand in (node, *reversed(operands)):
            true, false = self.condition(operand, owner)
            self.ends, done = (true, false) if sign == "&&" else (false, true)
            decided += done
        return (self.ends, decided) if sign == "&&" else (decided, self.ends)

    def _outcomes(self, node: Node, owner: Node) -> Ways:
        """The two ways out of a condition without && and ||; a constant has but one."""
        text = self.argument(node)
        if node.type in {"number_literal", "true", "false"}:
            never = text in {"0", "false"}
            return ([], self.ends) if never else (self.ends, [])
        self.expression(node, owner)
        if node.type == "assignment_expression" and (left := node.child_by_field_name("left")) is not None:
            text = self.argument(left)  # if ((p = f()))
        uses = frozenset(self.followed(node))
        code = self.code(owner)
        self.add(Step(StepKind.JOIN, self.line_of(node), uses=uses, code=code))
        fork = self.ends
        ways = []
        for truth in (True, False):
            self.ends = list(fork)
            self.add(Step(StepKind.ASSUME, self.line_of(node), text, truth=truth, code=code))
            ways.append(self.ends)
        return ways[0], ways[1]

    # -- pointers

    def followed(self, node: Node) -> Iterator[str]:
        """The pointers that evaluating an expression follows: p of ``p->x``, ``*p`` and ``p[i]``."""
        pending = [node]
        for _ in range(_MAX_FOLLOWED):
            if not pending:
                break
            node = pending.pop()
            kind = node.type
            if kind in _UNEVALUATED or kind == "compound_statement":
                continue
            if kind == "pointer_expression" and _spelled(node.child_by_field_name("operator")) == "&":
                pending.extend(_address_of(node))
                continue
            if kind in _FOLLOWED:
                argument = node.child_by_field_name("argument")
                operator = node.child_by_field_name("operator")
                if argument is not None and (kind == "subscript_expression" or _spelled(operator) in {"->", "*"}):
                    yield self.argument(argument)
            pending.extend(node.named_children)


def _address_of(node: Node) -> list[Node]:
    """What has to be evaluated for ``&p->x.y[i]``: p and i, none of which is followed for it."""
    place = node.child_by_field_name("argument")
    parts: list[Node] = []
    while place is not None:
        inner = _unwrapped(place)
        if inner.type == "subscript_expression":
            parts += [child for child in inner.named_children[1:] if child.type != "comment"]
        elif inner.type != "field_expression":
            return [*parts, inner]
        place = inner.child_by_field_name("argument")
        if inner.type == "field_expression" and _spelled(inner.child_by_field_name("operator")) == "->":
            return [*parts, *([place] if place is not None else [])]
    return parts


def _spelled(operator: Node | None) -> str:
    return operator.type if operator is not None else ""


def _operator(node: Node) -> str:
    return _spelled(node.child_by_field_name("operator")) if node.type == "binary_expression" else ""


def _logical(node: Node) -> bool:
    return _operator(node) in {"&&", "||"}


def _unwrapped(node: Node) -> Node:
    """An expression without parentheses and casts."""
    while node.type in _WRAPPERS:
        inner = node.child_by_field_name("value") or next(
            (child for child in node.named_children if child.type != "comment"), None
        )
        if inner is None:
            break
        node = inner
    return node


def _children(arguments: Node | None) -> list[Node]:
    return [child for child in (arguments.named_children if arguments else ()) if child.type != "comment"]
