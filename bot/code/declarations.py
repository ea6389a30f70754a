"""What a C text declares: structs with their fields, variables with their struct types, functions that return structs.

Read from the text, not from the syntax tree, so that a header costs little and half a declaration still tells its half.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

LOCAL = "local"
LIST_TYPES = frozenset({"list_head", "hlist_head", "hlist_node", "hlist_nulls_head", "hlist_bl_head"})

_COMMENT = re.compile(r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?+|//[^\n]*+")
_DIRECTIVE = re.compile(r"^[ \t]*+#(?:[^\\\n]|\\[\s\S])*+", re.MULTILINE)
_MARK = re.compile(r"[{};]")
_AGGREGATE = re.compile(
    r"\b(typedef\s++)?+(?:const\s++)?+(?:struct|union)(?:\s++(?!__packed)(\w++))?+\s*+(?:__\w++\s*+)*+$"
)
_ATTRIBUTE = re.compile(
    r"\b_{2,4}(?:cacheline|aligned|packed|counted_by|guarded_by|randomize|attribute|read_mostly|ro_after|init)\w*+"
    r"(?:\s*+\((?:[^()]|\([^()]*+\))*+\))?+"
)
_TYPE = re.compile(r"\b(?:(?:struct|union)\s++(\w++)|([a-z]\w*+(?<=_t)))\s*+")
_LAST_WORD = re.compile(r"(\w++)\s*+(?:\[[^\[\]]*+\]\s*+)*+(?::[^:]*+)?+$")
_FUNCTION_POINTER = re.compile(r"\(\s*+\*\s*+(?:const\s++)?+(\w++)")
_LIST_MACRO = re.compile(
    r"\b(?:LIST_HEAD|HLIST_HEAD|DECLARE_HASHTABLE|DEFINE_HASHTABLE|LIST_HEAD_INIT)\s*+\(\s*+(\w++)"
)
_PER_CPU = re.compile(r"\b(?:DEFINE|DECLARE)_PER_CPU\w*+\s*+\(\s*+(?:struct\s++)?+(\w++)[\s*]*+,\s*+(\w++)")
_QUALIFIERS = r"(?:(?:__\w++|const|volatile|restrict)\s++|\*\s*+)*+"
_DECLARATOR = re.compile(_QUALIFIERS + r"(\w++)\s*+(?:\[[^\[\]]*+\]\s*+)*+(?:__\w++(?:\([^()]*+\))?+\s*+)*+")
_TYPEOF = re.compile(r"\b(?:__)?+typeof(?:__)?+\s*+\(\s*+\*?+\s*+(\w++)\s*+\)\s*+\*?+\s*+(\w++)")
_RETURNS = re.compile(
    r"^[a-z_][^\n(){};=]{0,80}?\bstruct\s++(\w++)\s*+\*++\s*+(?:__\w++\s++)*+(\w++)\s*+\(", re.MULTILINE
)
_ACCESSOR = re.compile(
    r"^[ \t]*+#[ \t]*+define[ \t]++(\w++)\(\w++\)(?:[ \t]|\\\n)++((?:[^\\\n]|\\\n){1,200}+)$", re.MULTILINE
)
_RCU_BELOW = re.compile(r"__rcu\s*+\*\s*+(?:const\s++)?+\*")  # a plain pointer to pointers that readers follow
_SHARED_STATEMENT = 400  # characters of a declaration's end that are looked at
_MAX_NESTING = 12
_MAX_INITIALIZER = 400


@dataclass(frozen=True, slots=True)
class Field:
    struct: str  # the struct it is or points to, "" for none
    rcu: bool = False  # declared __rcu

    def inside(self, outer: str) -> Field:
        """A nameless struct is called by the path to it: ``outer.member``."""
        return Field(outer + self.struct, self.rcu) if self.struct.startswith(".") else self


Structs = Mapping[str, Mapping[str, Field]]


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a file declares at file scope."""

    structs: Structs
    variables: Mapping[str, str]  # struct type by name; LOCAL stands for a list head
    returns: Mapping[str, str]  # struct that a function returns a pointer to, expression that a macro stands for


@dataclass(slots=True)
class _Open:
    """A brace that is open; ``fields`` None: not of a struct."""

    fields: dict[str, Field] | None
    tag: str
    typedef: bool = False
    inner: dict[str, dict[str, Field]] = field(default_factory=dict)  # nested ones, by the path from here


class _Reader:
    """One pass over the braces and semicolons of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.structs: dict[str, dict[str, Field]] = {}
        self.variables: dict[str, str] = {}
        self.open: list[_Open] = []
        self.closed: _Open | None = None  # the struct whose } the declarator follows

    def read(self) -> None:
        start = 0
        for mark in _MARK.finditer(self.text):
            place = mark.start()
            statement = self.text[max(start, place - _SHARED_STATEMENT) : place]
            if mark[0] == "{":
                self._begin(statement)
            elif mark[0] == "}":
                self._end(at_margin=place == 0 or self.text[place - 1] == "\n")
            else:
                self._declare(statement)
            start = mark.end()

    def _begin(self, statement: str) -> None:
        found = _AGGREGATE.search(statement.strip())
        inside = self.open[-1] if self.open else None
        if found is None or len(self.open) >= _MAX_NESTING:
            closed, self.closed = self.closed, None
            if closed is not None and closed.fields is not None and "=" in statement:  # struct { ... } x = {
                self._name_closed(closed, closed.fields, inside, statement.split("=", 1)[0])
            elif inside is None and "=" in statement:
                self._variables(statement)
            self.open.append(_Open(None, ""))
        else:
            self.open.append(_Open({}, found[2] or "", bool(found[1])))
        self.closed = None

    def _end(self, *, at_margin: bool) -> None:
        while self.open:
            closed = self.open.pop()
            if closed.fields is not None and closed.tag:
                self._keep(closed.tag, closed)
            self.closed = closed if closed.fields is not None else None
            if not at_margin:
                break

    def _keep(self, name: str, closed: _Open) -> None:
        if closed.fields is None:
            return
        self.structs.setdefault(name, {}).update(closed.fields)
        for path, fields in closed.inner.items():
            self.structs.setdefault(f"{name}.{path}", {}).update(fields)

    def _declare(self, statement: str) -> None:
        """A ``;``: what stands before it declares a field or a variable."""
        closed, self.closed = self.closed, None
        outer = self.open[-1] if self.open else None
        if closed is not None and closed.fields is not None:
            self._name_closed(closed, closed.fields, outer, statement)
        elif outer is None:
            self._variables(statement)
        elif outer.fields is not None:
            outer.fields.update(_fields(statement))

    def _name_closed(self, closed: _Open, fields: dict[str, Field], outer: _Open | None, statement: str) -> None:
        """``} name;`` after a struct: a field, a variable, a typedef, or nothing."""
        names = [name for name, _ in _names(_ATTRIBUTE.sub(" ", statement))]
        if outer is None:
            for name in names:
                if not closed.typedef:
                    self.variables[name] = closed.tag or name
                self._keep(closed.tag or name, closed)
        elif outer.fields is not None and not names:  # anonymous: its members are ours
            outer.fields.update(fields)
            outer.inner.update(closed.inner)
        elif outer.fields is not None:
            for name in names:
                outer.fields[name] = Field(closed.tag or f".{name}")
                if not closed.tag:
                    outer.inner[name] = fields
                    outer.inner.update({f"{name}.{path}": inner for path, inner in closed.inner.items()})

    def _variables(self, statement: str) -> None:
        head = _ATTRIBUTE.sub(" ", statement).split("=", 1)[0]
        if "typedef" not in head and "(" not in head:
            self.variables.update(_declared(statement))
        self.variables.update((name, kind) for kind, name in _PER_CPU.findall(statement))
        self.variables.update(dict.fromkeys(_LIST_MACRO.findall(statement), LOCAL))


def _names(declarators: str) -> Iterator[tuple[str, str]]:
    """(name, the declarator) of each declarator; a pointer to a function is named where it stands."""
    for part in _pieces(declarators):
        pointer = _FUNCTION_POINTER.search(part)
        if pointer:
            yield pointer[1], part
        elif found := _LAST_WORD.search(part[-200:].rstrip()):
            yield found[1], part


def _pieces(text: str) -> Iterator[str]:
    """The pieces between the commas that stand outside parentheses."""
    depth, start = 0, 0
    for found in re.finditer(r"[(),]", text):
        if found[0] == ",":
            if depth == 0:
                yield text[start : found.start()]
                start = found.end()
        else:
            depth += 1 if found[0] == "(" else -1
    yield text[start:]


def _fields(declaration: str) -> Iterator[tuple[str, Field]]:
    kind = _TYPE.search(declaration)
    macro = _LIST_MACRO.search(declaration)
    if macro:
        yield macro[1], Field("hlist_head")
        return
    for name, part in _names(_ATTRIBUTE.sub(" ", declaration)):
        rcu = "__rcu" in declaration and not _RCU_BELOW.search(part)
        yield name, Field("" if "(" in part or not kind else kind[1] or kind[2], rcu)


def _declared(text: str) -> Iterator[tuple[str, str]]:
    """(name, struct type) of the variables and parameters that a piece of code declares."""
    for kind in _TYPE.finditer(text):
        place = kind.end()
        while found := _DECLARATOR.match(text, place):
            follower = text[found.end() : found.end() + 1]
            if follower not in {",", ";", "=", ")", ""}:
                break
            local = kind[1] in LIST_TYPES and "*" not in found[0]
            yield found[1], LOCAL if local else kind[1] or kind[2]
            place = _next_declarator(text, found.end())
            if place < 0:
                break


def _next_declarator(text: str, place: int) -> int:
    """Where the next name of the same declaration may stand, -1 when there is none."""
    depth = 0
    for here in range(place, min(len(text), place + _MAX_INITIALIZER)):
        letter = text[here]
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if depth < 0 or letter == ";":
            return -1
        if letter == "," and depth == 0:
            rest = text[here + 1 : here + 1 + _MAX_INITIALIZER]
            return here + 1 + len(rest) - len(rest.lstrip())
    return -1


def declarations_in(text: str) -> Declarations:
    """Everything that a file declares at file scope."""
    plain = _DIRECTIVE.sub("", _COMMENT.sub(" ", text))
    reader = _Reader(plain)
    reader.read()
    structs = {
        name: {member: kind.inside(name) for member, kind in fields.items()} for name, fields in reader.structs.items()
    }
    returns = {name: kind for kind, name in _RETURNS.findall(plain)}
    if "#define" in text:
        returns.update(_accessors(_COMMENT.sub(" ", text)))
    return Declarations(structs, reader.variables, returns)


def _accessors(text: str) -> Iterator[tuple[str, str]]:
    """(name, expression) of the macros that lead from one object to another: by a cast, or by container_of()."""
    for name, body in _ACCESSOR.findall(text):
        expression = " ".join(body.replace("\\\n", " ").split())
        if "->" in expression or expression.startswith("container_of("):
            yield name, expression


def merged(parts: Iterable[Declarations]) -> Declarations:
    """What the parts of a file declare together."""
    structs: dict[str, Mapping[str, Field]] = {}
    variables: dict[str, str] = {}
    returns: dict[str, str] = {}
    for part in parts:
        for name, fields in part.structs.items():
            structs[name] = {**structs[name], **fields} if name in structs else fields
        variables.update(part.variables)
        returns.update(part.returns)
    return Declarations(structs, variables, returns)


def variables_in(function: str) -> Mapping[str, str]:
    """Struct type of each variable and parameter of a function; LOCAL for a list head that lives on its stack."""
    plain = _COMMENT.sub(" ", function)
    found = dict.fromkeys(_LIST_MACRO.findall(plain), LOCAL)
    found.update(_declared(plain))
    for other, name in _TYPEOF.findall(plain):
        if other in found:
            found.setdefault(name, found[other])
    return found
