"""C text to a syntax tree whose lines and columns stay those of the file; the only door to tree-sitter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from bot.code.prepass import prepare

__all__ = ["Node", "Source", "functions", "parse"]

_LANGUAGE = Language(tree_sitter_c.language())


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed text.  ``prepared`` is what was parsed, of the same length as ``original``, byte for byte."""

    original: bytes
    prepared: bytes
    root: Node

    def text(self, node: Node) -> str:
        """What stands at a node in the original text."""
        return self.original[node.start_byte : node.end_byte].decode("utf-8", "replace")


def parse(text: str) -> Source:
    """Parse C text; errors become ERROR nodes in the tree, never an exception."""
    original = text.encode("utf-8", "surrogateescape")
    prepared = prepare(original)
    return Source(original, prepared, Parser(_LANGUAGE).parse(prepared).root_node)


def functions(source: Source) -> Iterator[Node]:
    """All function definitions, in order, also those inside #if at file scope."""
    pending = list(reversed(source.root.children))
    while pending:
        node = pending.pop()
        if node.type == "function_definition":
            yield node
        elif node.type.startswith("preproc_") or node.type in {"ERROR", "linkage_specification", "declaration_list"}:
            pending.extend(reversed(node.children))
