"""Which struct and member an expression such as ``&vcpu->kvm->devices`` stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_STRUCT = re.compile(r"\bstruct\s+(\w+)\s*(?:__\w+\s*)*\{")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_VARIABLE = re.compile(r"\bstruct\s+(\w+)\s+((?:__\w+\s+)*\**\s*(?:const\s+|__rcu\s+|\*)*\w[^;{}()=]*)")
_LOCAL_HEAD = re.compile(r"\b(?:LIST_HEAD|HLIST_HEAD|DECLARE_HASHTABLE|LIST_HEAD_INIT)\s*\(\s*(\w+)")
_LAST_WORD = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?$")
_LINK = re.compile(r"\s*(->|\.)\s*(\w+)")
_LIST_TYPES = frozenset({"list_head", "hlist_head", "hlist_node", "hlist_nulls_head", "hlist_bl_head"})
_PER_CPU = re.compile(r"^(?:this_cpu_ptr|per_cpu_ptr|raw_cpu_ptr|per_cpu|get_cpu_ptr)\(")
_MAX_STRUCT = 200_000
_ALIAS_DEPTH = 4

UNKNOWN, GLOBAL, LOCAL = "?", "", "local"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An object of the kernel: member ``member`` of ``struct owner``.

    ``owner`` is GLOBAL for a variable at file scope, LOCAL for one of the function, UNKNOWN when the type is not known.
    """

    owner: str
    member: str

    def __str__(self) -> str:
        named = self.owner not in {GLOBAL, LOCAL} and not self.owner.startswith(UNKNOWN)
        return f"{self.owner}.{self.member}" if named else self.member

    @property
    def known(self) -> bool:
        return self.owner != UNKNOWN and bool(self.member)


NOWHERE = Key(UNKNOWN, "")


@dataclass(frozen=True, slots=True)
class Field:
    struct: str  # the struct it is or points to, "" for none
    rcu: bool = False  # declared __rcu


def _body(text: str, start: int) -> str:
    """The text between the brace at ``start`` and its partner."""
    depth = 0
    for place in range(start, min(len(text), start + _MAX_STRUCT)):
        if text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : place]
    return text[start + 1 : start + _MAX_STRUCT]


def _fields(struct: str, body: str) -> dict[str, dict[str, Field]]:
    """The fields of a struct, and of the nameless structs inside it, which are called ``outer.member``."""
    found: dict[str, dict[str, Field]] = {struct: {}}
    place = 0
    while place < len(body):
        brace, end = body.find("{", place), body.find(";", place)
        if end < 0:
            break
        if 0 <= brace < end:
            inner = _body(body, brace)
            after = brace + len(inner) + 2
            end = body.find(";", after)
            end = len(body) if end < 0 else end
            name = _LAST_WORD.search(body[after:end].strip())
            if name and not name[1].startswith("__"):
                found.update(_fields(f"{struct}.{name[1]}", inner))
                found[struct][name[1]] = Field(f"{struct}.{name[1]}")
            else:  # an anonymous struct or union: its members are ours
                nested = _fields(struct, inner)
                found[struct].update(nested.pop(struct))
                found.update(nested)
        else:
            declaration = body[place:end]
            type_name = re.search(r"\b(?:struct|union)\s+(\w+)", declaration)
            for part in declaration.split(","):
                if name := _LAST_WORD.search(part.strip()):
                    found[struct][name[1]] = Field(type_name[1] if type_name else "", "__rcu" in declaration)
        place = end + 1
    return found


@lru_cache(maxsize=512)
def structs_in(text: str) -> Mapping[str, Mapping[str, Field]]:
    """Every struct that a file defines."""
    found: dict[str, dict[str, Field]] = {}
    plain = _COMMENT.sub(" ", text)
    for match in _STRUCT.finditer(plain):
        found.update(_fields(match[1], _body(plain, match.end() - 1)))
    return found


@lru_cache(maxsize=8192)
def variables_in(function: str) -> Mapping[str, str]:
    """Struct type of each variable and parameter of a function; LOCAL for a list head that lives on its stack."""
    found: dict[str, str] = dict.fromkeys(_LOCAL_HEAD.findall(function), LOCAL)
    for match in _VARIABLE.finditer(function):
        for number, part in enumerate(match[2].split(",")):
            words = part.replace("*", " * ").split()
            if number and len([word for word in words if word != "*"]) != 1:
                break  # the next parameter has a type of its own
            if name := _LAST_WORD.search(part.strip()):
                pointer = "*" in part
                local = match[1] in _LIST_TYPES and not pointer
                found[name[1]] = LOCAL if local else match[1]
    return found


class Structs:
    """The struct definitions of a world."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)

    def field(self, struct: str, member: str) -> Field | None:
        for text in self._texts:
            fields = structs_in(text).get(struct)
            if fields and member in fields:
                return fields[member]
        return None

    def rcu_fields(self) -> frozenset[Key]:
        """Fields that are declared ``__rcu``."""
        return frozenset(
            Key(struct, member)
            for text in self._texts
            for struct, fields in structs_in(text).items()
            for member, field in fields.items()
            if field.rcu
        )

    def resolve(
        self, expression: str, variables: Mapping[str, str], aliases: Mapping[str, str] | None = None, depth: int = 0
    ) -> Key:
        """The object that an expression (as ``spelling.tight`` writes it) names, NOWHERE when it names none."""
        text = _strip(expression)
        base = re.match(r"\w+", text)
        if base is None:
            return NOWHERE
        links = _links(text, base.end())
        if links is None:  # a call: its name is all we know
            member = _last_member(text)
            return Key(UNKNOWN, member) if member else Key("call", base[0])
        name = base[0]
        if aliases and name in aliases and depth < _ALIAS_DEPTH and variables.get(name, "") in {"", *_LIST_TYPES}:
            aliased = self.resolve(aliases[name], variables, aliases, depth + 1)
            if not links:
                return aliased
        if not links:
            kind = variables.get(name)
            if kind == LOCAL:
                return Key(LOCAL, name)
            return Key(GLOBAL, name) if kind is None and not (aliases and name in aliases) else NOWHERE
        owner = variables.get(name, UNKNOWN)
        for member in links[:-1]:
            field = self.field(owner, member) if owner != UNKNOWN else None
            owner = field.struct if field and field.struct else UNKNOWN
        return Key(owner if owner != LOCAL else UNKNOWN, links[-1])


def _strip(expression: str) -> str:
    text = expression.strip()
    while True:
        if text.startswith("&"):
            text = text[1:]
        elif text.startswith("(") and text.endswith(")"):
            text = text[1:-1]
        elif _PER_CPU.match(text):
            text = text[text.index("(") + 1 :].rsplit(")", 1)[0].split(",")[0]
        else:
            cast = re.match(r"\((?:const )?(?:struct )?\w+ ?\*+\)", text)
            if not cast:
                return text.strip()
            text = text[cast.end() :]
        text = text.strip()


def _links(text: str, place: int) -> list[str] | None:
    """The members that follow the first word; None when something else than members and indexes does."""
    members: list[str] = []
    while place < len(text):
        if text[place] == "[":
            depth = 0
            while place < len(text):
                depth += (text[place] == "[") - (text[place] == "]")
                place += 1
                if depth == 0:
                    break
            continue
        link = _LINK.match(text, place)
        if link is None:
            return None if text[place] in "(" else members
        members.append(link[2])
        place = link.end()
    return members


def _last_member(text: str) -> str:
    """The member that is taken of what a call returns, "" when none is."""
    match = re.search(r"\)\s*(?:->|\.)\s*(\w+)(?:\[[^\]]*\])?$", text)
    return match[1] if match else ""
