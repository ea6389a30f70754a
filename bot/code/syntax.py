"""C text to a syntax tree whose lines and columns stay those of the file; the only door to tree-sitter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import tree_sitter_c
from tree_sitter import Language, Node, Parser

from bot.code.prepass import prepare

__all__ = ["Node", "Source", "aliases_in", "encoded", "function_name", "functions", "macro_name", "parse"]

_LANGUAGE = Language(tree_sitter_c.language())
_MAX_BYTES = 4_000_000  # generated register tables are longer, and have no code; a tree takes a hundred times its text
_WORD = re.compile(rb"\w+")
_ALIAS = re.compile(
    rb"^[ \t]*+#[ \t]*+define[ \t]++([a-z]\w*+)(?:\(\))?[ \t]++([a-z]\w*+)(?:\(\))?[ \t]*+$", re.MULTILINE
)
_DEFINER = re.compile(rb"[A-Z_]\w*+[ \t]*+\(\s*+(\w++)")


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed text.  ``prepared`` is what was parsed, of the same length as ``original``, byte for byte."""

    original: bytes
    prepared: bytes
    root: Node
    aliases: Mapping[str, str] = field(default_factory=dict)  # macros that only stand for another name

    @classmethod
    def of(cls, original: bytes, prepared: bytes, aliases: Mapping[str, str]) -> Source:
        """Parse what the pre-pass made of a text; errors become ERROR nodes in the tree, never an exception."""
        return cls(original, prepared, Parser(_LANGUAGE).parse(prepared).root_node, aliases)

    def text(self, node: Node) -> str:
        """What stands at a node in the original text."""
        return self.original[node.start_byte : node.end_byte].decode("utf-8", "replace")


def encoded(text: str) -> bytes:
    """The bytes of a text, as far as it is read."""
    try:
        original = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair: no byte of any mail, and a text all the same
        original = text.encode("utf-8", "surrogatepass")
    return original[:_MAX_BYTES]


def aliases_in(original: bytes) -> Mapping[str, str]:
    """The macros of a file that only stand for another name."""
    return {found[1].decode(): found[2].decode() for found in _ALIAS.finditer(original)}


def parse(text: str) -> Source:
    """Parse C text in one piece."""
    original = encoded(text)
    return Source.of(original, prepare(original), aliases_in(original))


def functions(source: Source) -> Iterator[Node]:
    """All function definitions, in order, also those inside #if at file scope."""
    pending = list(reversed(source.root.children))
    while pending:
        node = pending.pop()
        if node.type == "function_definition":
            yield node
        elif node.type.startswith("preproc_") or node.type in {"ERROR", "linkage_specification", "declaration_list"}:
            pending.extend(reversed(node.children))


def macro_name(source: Source, node: Node) -> str:
    """The macro that a loop was made from: "list_for_each_entry_rcu", "scoped_guard"; "" for a real while or if.

    Its arguments are the node's condition: an expression, or a comma expression of all of them.
    """
    found = _WORD.match(source.original, node.start_byte)
    name = found[0].decode() if found else ""
    return "" if name in {"while", "if"} or node.type not in {"while_statement", "if_statement"} else name


def function_name(source: Source, function: Node) -> str:
    """The name of a function definition, also of one defined by a macro: ``SYSCALL_DEFINE1(close, ...`` is "close"."""
    node = function.child_by_field_name("declarator")
    while node is not None and node.type not in {"identifier", "field_identifier"}:
        node = node.child_by_field_name("declarator") or next(
            (child for child in node.named_children if child.type.endswith(("declarator", "identifier"))), None
        )
    kind = function.child_by_field_name("type")
    if kind is not None and source.text(kind) != source.prepared[kind.start_byte : kind.end_byte].decode(
        "utf-8", "replace"
    ):
        found = _DEFINER.match(source.original, kind.start_byte)
        if found:
            return found[1].decode()
    return source.text(node) if node is not None else ""
