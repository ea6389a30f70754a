"""Which struct and member an expression such as ``&vcpu->kvm->devices`` stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.code.declarations import LIST_TYPES, LOCAL, Declarations, Field
from bot.code.spelling import split_arguments, tight

__all__ = [
    "GLOBAL",
    "LOCAL",
    "NOWHERE",
    "UNKNOWN",
    "Field",
    "Key",
    "Structs",
    "object_of",
]

_LINK = re.compile(r"\s*+(->|\.)\s*+(\w++)")
_CAST = re.compile(r"\((?:const )?+(?:struct |union )?+(\w++) ?+\*++\)")
_TYPED = re.compile(r"(?:const )?+(?:struct|union) (\w++)")
# Calls and macros that give back what their first argument stands for.
_TRANSPARENT = re.compile(
    r"(?:(?:raw_|this_|per_|get_)?+cpu_ptr|per_cpu|get_cpu_var|this_cpu_read|(?:s?rcu|rtnl|nft)_dereference\w*+"
    r"|rcu_access_pointer|unrcu_pointer|READ_ONCE|smp_load_acquire|rcu_replace_pointer\w*+|no_free_ptr|array_index_ptr)$"
)
# Macros one of whose arguments names the struct that they lead to.
_CASTING = re.compile(r"container_of|_entry|_or_null")
_ALIAS_DEPTH = 4
_MAX_DEPTH = 12  # calls and parentheses that are looked into
_MAX_LENGTH = 2000

UNKNOWN, GLOBAL = "?", ""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An object of the kernel: member ``member`` of ``struct owner``.

    ``owner`` is GLOBAL for a variable at file scope, LOCAL for one of the function, UNKNOWN when the type is not known.
    """

    owner: str
    member: str

    def __str__(self) -> str:
        return f"{self.owner}.{self.member}" if self.owner not in {GLOBAL, LOCAL, UNKNOWN} else self.member

    @property
    def known(self) -> bool:
        return self.owner != UNKNOWN and bool(self.member)


NOWHERE = Key(UNKNOWN, "")
_NO_NAMES: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Scope:
    """What the names of one function mean."""

    variables: Mapping[str, str]
    aliases: Mapping[str, str]


class Structs:
    """The struct definitions of a world."""

    def __init__(self, files: Iterable[Declarations]) -> None:
        self._files = tuple(files)

    @cached_property
    def _definitions(self) -> Mapping[str, tuple[Mapping[str, Field], ...]]:
        found: dict[str, tuple[Mapping[str, Field], ...]] = {}
        for file in self._files:
            for name, fields in file.structs.items():
                found[name] = (*found.get(name, ()), fields)
        return found

    @cached_property
    def _variables(self) -> Mapping[str, str]:
        """Struct types of variables at file scope; a name that means two things in two files means nothing."""
        found: dict[str, str] = {}
        for file in self._files:
            for name, kind in file.variables.items():
                found[name] = kind if found.get(name, kind) == kind else UNKNOWN
        return found

    @cached_property
    def _returns(self) -> Mapping[str, str]:
        return {name: kind for file in self._files for name, kind in file.returns.items()}

    def field(self, struct: str, member: str) -> Field | None:
        for fields in self._definitions.get(struct, ()):
            if member in fields:
                return fields[member]
        return None

    def member(self, struct: str, path: str) -> Key:
        """The object that ``path`` ("node", "indr.node") is in a struct."""
        *outer, last = path.split(".")
        for member in outer:
            field = self.field(struct, member)
            struct = field.struct if field and field.struct else UNKNOWN
        return Key(struct, last)

    def rcu_fields(self) -> frozenset[Key]:
        """Fields that are declared ``__rcu``."""
        return frozenset(
            Key(struct, member)
            for struct, definitions in self._definitions.items()
            for fields in definitions
            for member, field in fields.items()
            if field.rcu
        )

    def behind_rcu(self, struct: str) -> bool:
        """Whether an ``__rcu`` field leads to the struct."""
        return any(
            field.rcu and field.struct == struct
            for definitions in self._definitions.values()
            for fields in definitions
            for field in fields.values()
        )

    def resolve(
        self, expression: str, variables: Mapping[str, str], aliases: Mapping[str, str] | None = None, depth: int = 0
    ) -> Key:
        """The object that an expression (as ``spelling.tight`` writes it) names, NOWHERE when it names none."""
        if len(expression) > _MAX_LENGTH:
            return NOWHERE
        return self._resolve(expression, _Scope(variables, aliases or _NO_NAMES), depth)

    def _resolve(self, expression: str, scope: _Scope, depth: int) -> Key:
        text = _bare(expression)
        base = _base_of(text)
        links = _links(text, len(base))
        if not base or depth > _MAX_DEPTH:
            return NOWHERE
        if links:
            return self.member(self._struct_of(base, scope, depth + 1), ".".join(links))
        name, arguments = _call(base)
        if base.startswith("("):
            return self._resolve(base[1:-1], scope, depth + 1)
        if arguments is None:
            return self._resolve_name(name, scope, depth)
        if _TRANSPARENT.match(name) and arguments:
            return self._resolve(arguments[0], scope, depth + 1)
        return Key("call", name) if name else NOWHERE

    def _resolve_name(self, name: str, scope: _Scope, depth: int) -> Key:
        kind = scope.variables.get(name)
        alias = scope.aliases.get(name)
        if alias and depth < _ALIAS_DEPTH and (kind is None or kind in LIST_TYPES):
            return self._resolve(alias, scope, depth + 1)
        if kind == LOCAL:
            return Key(LOCAL, name)
        return Key(GLOBAL, name) if kind is None and not alias and not name[0].isdigit() else NOWHERE

    def _struct_of(self, base: str, scope: _Scope, depth: int) -> str:
        """The struct that a variable, a call or an expression in parentheses is or points to."""
        name, arguments = _call(base)
        if base.startswith("("):
            return self._type(base[1:-1], scope, depth)
        if arguments is None:
            kind = scope.variables.get(name)
            if kind is None and (alias := scope.aliases.get(name)) and depth < _ALIAS_DEPTH:
                return self._type(alias, scope, depth + 1)
            kind = kind or self._variables.get(name, UNKNOWN)
            return kind if kind != LOCAL else UNKNOWN
        if _TRANSPARENT.match(name) and arguments:
            return self._type(arguments[0], scope, depth + 1)
        if _CASTING.search(name):
            typed = next((match[1] for argument in arguments if (match := _TYPED.match(argument.strip()))), "")
            if typed:
                return typed
            if len(arguments) > 1 and (pointer := re.match(r"typeof\(\*?(\w+)\)", arguments[1].strip())):
                return self._struct_of(pointer[1], scope, depth + 1)
        returned = self._returns.get(name, UNKNOWN)
        if returned.isidentifier() or returned == UNKNOWN:
            return returned
        return self._type(tight(returned), _Scope(_NO_NAMES, _NO_NAMES), depth + 1)  # a macro

    def _type(self, expression: str, scope: _Scope, depth: int) -> str:
        """The struct that a whole expression is or points to."""
        if depth > _MAX_DEPTH:
            return UNKNOWN
        if cast := _CAST.match(expression.strip().lstrip("&*")):
            return cast[1]
        text = _bare(expression)
        base = _base_of(text)
        if not base:
            return UNKNOWN
        owner = self._struct_of(base, scope, depth + 1)
        for member in _links(text, len(base)):
            field = self.field(owner, member)
            owner = field.struct if field and field.struct else UNKNOWN
        return owner


def _bare(expression: str) -> str:
    """An expression without address-of, casts and the parentheses around all of it."""
    text = expression.strip()
    for _ in range(_MAX_DEPTH):
        cast = _CAST.match(text)
        if text.startswith(("&", "*")):
            text = text.lstrip("&* ")
        elif cast:
            text = text[cast.end() :].lstrip()
        elif text.startswith("(") and _closing(text, 0) == len(text) - 1:
            text = text[1:-1].strip()
        else:
            break
    return text


def _closing(text: str, opening: int) -> int:
    """Place of the bracket that closes the one at ``opening``; the text's end when none does."""
    depth = 0
    for place in range(opening, len(text)):
        if text[place] in "([":
            depth += 1
        elif text[place] in ")]":
            depth -= 1
            if depth == 0:
                return place
    return len(text)


def _base_of(text: str) -> str:
    """What the members are taken of: a name, a call, or an expression in parentheses; "" for anything else."""
    word = re.match(r"\w*+", text)
    end = word.end() if word else 0
    if text[end : end + 1] == "(":
        return text[: _closing(text, end) + 1]
    return text[:end]


def _call(base: str) -> tuple[str, list[str] | None]:
    """The name and the arguments of a call; None for arguments when it is a plain name."""
    name, parenthesis, rest = base.partition("(")
    return name, split_arguments(rest[:-1]) if parenthesis else None


def _links(text: str, place: int) -> list[str]:
    """The members that follow the base, indexes left out."""
    return [link[2] for link in _walked(text, place)]


def _walked(text: str, place: int) -> list[re.Match[str]]:
    links: list[re.Match[str]] = []
    while place < len(text):
        if text[place] == "[":
            place = _closing(text, place) + 1
            continue
        link = _LINK.match(text, place)
        if link is None:
            break
        links.append(link)
        place = link.end()
    return links


def object_of(expression: str) -> str:
    """The object that a member is part of: ``dev`` of ``&dev->vm_node`` and ``&dev->group.node``, ``x`` of ``x``."""
    text = _bare(expression[:_MAX_LENGTH])
    links = _walked(text, len(_base_of(text)))
    while links:
        last = links.pop()
        if last[1] == "->" or not links:
            return _bare(text[: last.start()])
    return text
