"""The syntax tree of one function to its flow: which step may follow which."""

from __future__ import annotations

from collections.abc import Callable

from bot.code.expressions import Expressions
from bot.code.flow import Flow, Step, StepKind
from bot.code.flowgraph import MAX_DEPTH, Loop
from bot.code.fragment import GAP
from bot.code.spelling import split_arguments
from bot.code.syntax import Node, Source, macro_name


def flow_of(source: Source, function: Node) -> Flow:
    """The flow of a function definition; what is nested beyond all reason is a gap in it."""
    body = function.child_by_field_name("body")
    return Flow((), ()) if body is None else _Lowering(source, function).lowered(body)


class _Lowering(Expressions):
    """Lowers statements."""

    def __init__(self, source: Source, function: Node) -> None:
        super().__init__(source, function)
        self._label_scopes: dict[str, tuple[int, ...]] = {}
        self._handlers: dict[str, Callable[[Node], None]] = {
            "compound_statement": self.compound,
            "expression_statement": self._expression_statement,
            "declaration": self._declaration,
            "if_statement": self._if_statement,
            "while_statement": self._while_statement,
            "for_statement": self._for_statement,
            "do_statement": self._do_statement,
            "switch_statement": self._switch_statement,
            "case_statement": self._case_statement,
            "labeled_statement": self._labeled_statement,
            "goto_statement": self._goto_statement,
            "return_statement": self._return_statement,
            "break_statement": self._break_statement,
            "continue_statement": self._continue_statement,
            "comment": self._comment,
        }

    def lowered(self, body: Node) -> Flow:
        if b"goto" in self.source.prepared[body.start_byte : body.end_byte]:
            self._find_labels(body)
        self.join(body)
        self.statement(body)
        return self.flow()

    def _find_labels(self, body: Node) -> None:
        """Which blocks hold each label: a goto to it drops the guards of the others."""
        pending: list[tuple[Node, tuple[int, ...]]] = [(body, ())]
        while pending:
            node, scopes = pending.pop()
            if node.type == "compound_statement" and len(scopes) < MAX_DEPTH:
                scopes = (*scopes, node.id)
            elif node.type == "labeled_statement" and (label := node.child_by_field_name("label")):
                self._label_scopes[self.text(label)] = scopes
            pending.extend(
                (child, scopes) for child in node.named_children if child.type.endswith(("_statement", "_clause"))
            )

    def statement(self, node: Node) -> None:
        if self.beyond(node):
            return
        self.depth += 1
        handler = self._handlers.get(node.type)
        if handler is not None:
            handler(node)
        elif node.type.endswith("_statement") or node.type.startswith("preproc_") or node.type == "ERROR":
            for child in node.named_children:
                self.statement(child)
        else:
            self.expression(node, node)
        self.depth -= 1

    def compound(self, node: Node) -> None:
        self.open_scope(node)
        for child in node.named_children:
            self.statement(child)
        self.close_scope(node)

    def _comment(self, node: Node) -> None:
        if GAP in self.text(node):
            self.gap(node)

    def _expression_statement(self, node: Node) -> None:
        for child in node.named_children:
            before = self.ends
            self.expression(child, node)
            if self.ends == before and child.type != "comment":  # p->count++ calls nothing, and still follows p
                uses = frozenset(self.followed(child))
                if uses:
                    self.add(Step(StepKind.JOIN, self.line_of(child), uses=uses, code=self.code(node)))

    def _declaration(self, node: Node) -> None:
        for child in node.children_by_field_name("declarator"):
            value = child.child_by_field_name("value") if child.type == "init_declarator" else None
            if value is not None:
                name = self._declared(child)
                self.expression(value, node, target=name)
                self.assign(name, value, node)

    def _declared(self, node: Node | None) -> str:
        while node is not None and node.type not in {"identifier", "field_identifier"}:
            node = node.child_by_field_name("declarator")
        return self.text(node) if node is not None else ""

    def _if_statement(self, node: Node) -> None:
        """An if with its else-ifs, however many."""
        done: list[int] = []
        following: Node | None = node
        while following is not None and following.type == "if_statement":
            node = following
            true, false = self.condition(node.child_by_field_name("condition"), node)
            consequence, alternative = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
            self.ends = true
            if consequence is not None:
                self.statement(consequence)
            done += self.ends
            self.ends = false
            following = (
                next((c for c in alternative.named_children if c.type != "comment"), None) if alternative else None
            )
        if following is not None:
            self.statement(following)
        self.ends = done + self.ends

    # -- loops

    def _while_statement(self, node: Node) -> None:
        macro = macro_name(self.source, node)
        if "guard" in macro and "for_each" not in macro:
            self._scoped_guard(node, macro)
        elif macro:
            self._walk(node, macro)
        else:
            self._loop(node)

    def _scoped_guard(self, node: Node, macro: str) -> None:
        """A for loop in disguise, that runs once: break and continue leave it."""
        args = self._macro_arguments(node)
        failing: list[int] = []
        if "cond" in macro and len(args) > 1:  # scoped_cond_guard(mutex_intr, return -EINTR, &lock): it may fail
            failing = [] if args[1].startswith(("return", "goto")) else list(self.ends)
            args = args[:1] + args[2:]
        loop = Loop(len(self.scopes))
        self.open_scope(node)
        step = Step(StepKind.CALL, self.line_of(node), "guard", args, code=self.code(node))
        self.add(step)
        self.guard(step)
        self.loops.append(loop)
        self._body(node)
        self.loops.pop()
        self.close_scope(node)
        self.ends = self.ends + loop.breaks + loop.continues + failing

    def _macro_arguments(self, node: Node) -> tuple[str, ...]:
        """The arguments of an iterator macro, split at commas outside brackets in the original text."""
        condition = node.child_by_field_name("condition")
        text = self.between(condition.start_byte, condition.end_byte) if condition is not None else ""
        inner = text[text.find("(") + 1 :]
        inner = inner.removesuffix(")") if text.startswith("(") else inner
        return tuple(part.strip() for part in split_arguments(inner))

    def _walk(self, node: Node, macro: str) -> None:
        condition = node.child_by_field_name("condition")
        uses: frozenset[str] = frozenset()
        if condition is not None:
            self.expression(condition, node)
            uses = frozenset(self.followed(condition))
        step = Step(
            StepKind.WALK, self.line_of(node), macro, self._macro_arguments(node), uses=uses, code=self.code(node)
        )
        head = self.add(step)
        loop = self._turn(node)
        self.ends = self.ends + loop.continues
        self.back(head)
        self.ends = [*loop.breaks, head]

    def _turn(self, node: Node) -> Loop:
        """One turn of a loop's body."""
        loop = Loop(len(self.scopes))
        self.loops.append(loop)
        self._body(node)
        self.loops.pop()
        return loop

    def _body(self, node: Node) -> None:
        body = node.child_by_field_name("body")
        if body is not None:
            self.statement(body)

    def _loop(self, node: Node) -> None:
        head = self.join(node)
        true, false = self.condition(node.child_by_field_name("condition"), node)
        self.ends = true
        loop = self._turn(node)
        self.ends = self.ends + loop.continues
        update = node.child_by_field_name("update")
        if update is not None and self.ends:
            self.expression(update, update)
        self.back(head)
        self.ends = false + loop.breaks

    def _for_statement(self, node: Node) -> None:
        initializer = node.child_by_field_name("initializer")
        if initializer is not None:
            self.statement(initializer)
        self._loop(node)

    def _do_statement(self, node: Node) -> None:
        head = self.join(node)
        loop = self._turn(node)
        self.ends = self.ends + loop.continues
        false: list[int] = []
        if self.ends:
            self.ends, false = self.condition(node.child_by_field_name("condition"), node)
            self.back(head)
        self.ends = false + loop.breaks

    # -- switch

    def _switch_statement(self, node: Node) -> None:
        condition = node.child_by_field_name("condition")
        subject = ""
        if condition is not None:
            self.expression(condition, node)
            subject = self.argument(condition).removeprefix("(").removesuffix(")")
            uses = frozenset(self.followed(condition))
            self.add(Step(StepKind.JOIN, self.line_of(node), uses=uses, code=self.code(node)))
        fork = self.ends
        loop = Loop(len(self.scopes), switch=fork, subject=subject)
        self.loops.append(loop)
        self.ends = []
        self._body(node)
        self.loops.pop()
        self.ends = self.ends + loop.breaks + ([] if loop.has_default else fork)

    def _case_statement(self, node: Node) -> None:
        value = node.child_by_field_name("value")
        switch = next((loop for loop in reversed(self.loops) if loop.switch is not None), None)
        if switch is not None and switch.switch is not None:
            switch.has_default = switch.has_default or value is None
            name = f"{switch.subject}=={self.argument(value)}" if value is not None else f"{switch.subject}==default"
            fallen, self.ends = self.ends, switch.switch
            self.add(Step(StepKind.ASSUME, self.line_of(node), name))
            self.ends = fallen + self.ends
        else:  # a case whose switch the hunks do not show: reached from what they do not show
            self.label(f"case {node.start_byte}", node)
        for part in node.named_children:
            if value is None or part.id != value.id:
                self.statement(part)

    # -- jumps

    def _labeled_statement(self, node: Node) -> None:
        label = node.child_by_field_name("label")
        if label is not None:
            self.label(self.text(label), node)
        for child in node.named_children:
            if label is None or child.id != label.id:
                self.statement(child)

    def _goto_statement(self, node: Node) -> None:
        label = self.text(node.named_children[0]) if node.named_children else ""
        kept = self._label_scopes.get(label, ())
        depth = next((i for i, scope in enumerate(self.scopes) if scope.node not in kept), len(self.scopes))
        self.leave_scopes(depth, self.line_of(node))
        self.goto(label, node)

    def _return_statement(self, node: Node) -> None:
        value = next((child for child in node.named_children if child.type != "comment"), None)
        uses: frozenset[str] = frozenset()
        if value is not None:
            self.expression(value, node)
            uses = frozenset(self.followed(value))
        if uses and any(scope.guards for scope in self.scopes):  # the value is read before the guards are dropped
            self.add(Step(StepKind.JOIN, self.line_of(node), uses=uses, code=self.code(node)))
            uses = frozenset()
        self.leave_scopes(0, self.line_of(node))
        text = self.argument(value) if value is not None else ""
        self.add(Step(StepKind.RETURN, self.line_of(node), text, uses=uses, code=self.code(node)))
        self.ends = []

    def _break_statement(self, node: Node) -> None:
        if self.loops:
            self.leave_scopes(self.loops[-1].depth, self.line_of(node))
            self.loops[-1].breaks += self.ends
        else:  # what it leaves is out of sight, and so is where it leads
            self.gap(node)
        self.ends = []

    def _continue_statement(self, node: Node) -> None:
        loop = next((loop for loop in reversed(self.loops) if loop.switch is None), None)
        if loop is not None:
            self.leave_scopes(loop.depth, self.line_of(node))
            loop.continues += self.ends
        self.ends = []
