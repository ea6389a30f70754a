"""Lines that a diff shows of a file that nobody has: put together, and wrapped in the functions they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from bot.code.patching import Line
from bot.model import Hunk, Image

GAP = "lines that the diff does not show"
_GAP_LINE = f"/* {GAP} */"
# What is not closed goes to the end of the line, or its end would be looked for from each of its quotes.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?+|\'(?:[^\'\\]|\\.)*+\'?+|/\*(?:[^*]|\*(?!/))*+\*/|//.*+')
_DEFINITION = re.compile(r"(?!\w++\s*+:(?!:))[A-Za-z_]")  # a name in column 0 that is no label
_NAME = re.compile(r"\b(\w++)\s*+\(")
_UNTYPED = re.compile(r"[a-z_]\w*+\(")  # a definition whose type stands in the line above
_AGGREGATE = re.compile(r"(?:typedef\s+|static\s+|const\s+)*+(?:struct|union|enum)\s++\w++\s*+\{?\s*+$")

_GOES_ON = ("&&", "||", "(", ",", "=", "+", "-", "*", "/", "|", "&", "?", "<", ">", "!", "<<", ">>", "%", "^", "~")

_DO, _VALUE, _BLOCK = "do {", "struct out_of_sight unseen = {", "if (out_of_sight) {"

Sparse = Mapping[int, Line]
"""The known lines of a file by number, from 1."""


def shown(
    sections: Mapping[int, str], lines: Sparse, path: str, begun: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> Image:
    """The known lines as a fragment that reads as C.

    ``sections`` are the hunk headers' words by the first line of their hunk: the function or struct that was open there
    or the last one before.  ``begun`` are the first lines of functions by name, where these are known.
    """
    drawer = _Drawer(begun)
    for run in runs_of(lines):
        drawer.run(run, _section(sections, run), tuple(lines[number].text for number in run))
    drawer.close()
    return Image(path, "".join(f"{line}\n" for line in drawer.text), whole=False, lines=tuple(drawer.numbers))


def runs_of(lines: Sparse) -> list[range]:
    """The known lines that follow one another, as ranges of their numbers."""
    runs: list[range] = []
    numbers = sorted(lines)
    start = 0
    for place, number in enumerate(numbers, start=1):
        if place == len(numbers) or numbers[place] != number + 1:
            runs.append(range(numbers[start], number + 1))
            start = place
    return runs


def _section(sections: Mapping[int, str], run: range) -> str:
    """The header of the hunk that opens the run; a run grown upwards by another hunk has that one's."""
    found = [number for number in sections if number in run]
    return sections[min(found)] if found else ""


def opened(sections: Mapping[int, str], run: range, lines: tuple[str, ...]) -> str:
    """The function whose body a run of lines begins in, "" when it begins in none or nothing names it."""
    name = _NAME.search(_section(sections, run))
    return name[1] if name and _start(lines).inside else ""


@dataclass(frozen=True, slots=True)
class _Start:
    """How a run begins: inside a body or a comment, and how many blocks that it closes were opened out of sight."""

    inside: bool
    in_comment: bool
    unopened: tuple[str, ...]


class _Drawer:
    """Writes lines and made-up lines, and knows which function is open."""

    def __init__(self, begun: Mapping[str, tuple[str, ...]]) -> None:
        self._begun = begun
        self.text: list[str] = []
        self.numbers: list[int] = []
        self.open = ""  # the header of the body that is open
        self.depth = 0
        self.bodiless = False  # the last line belongs to the header of a function

    def run(self, numbers: range, section: str, lines: tuple[str, ...]) -> None:
        start = _start(lines)
        if self.open and start.inside and _same(self.open, section):
            self._invent("}" * (self.depth - 1), _GAP_LINE)
            self.depth = 1
        else:
            self.close()
            if start.inside:
                self._open(section)
        if self.open:
            self._invent(*start.unopened)
            self.depth += len(start.unopened)
        if start.in_comment:
            self._invent("/*")
        elif self.open and (begun := _begun(lines)):
            self._invent(begun)
        header = _header(section) if lines[0].rstrip() == "{" and not self.open else ""
        if header:
            self._invent(header)
        self.text += lines
        self.numbers += numbers
        self._follow((header, *lines) if header else lines)
        if not _uncommented((*(("/*",) if start.in_comment else ()), *lines, ";"))[-1]:
            self._invent("*/")  # of a comment that the lines break off in
        if self.open and self.depth and (rest := _unfinished(lines)):
            self._invent(rest)

    def _open(self, section: str) -> None:
        opening = _opening(section)
        if opening:
            self.open, self.depth = section, 1
            name = _NAME.search(section)
            known = self._begun.get(name[1], ()) if name else ()
            self._invent(*(known or (opening,)), *(() if _AGGREGATE.match(section) or "=" in opening else (_GAP_LINE,)))

    def _invent(self, *lines: str) -> None:
        self.text += lines
        self.numbers += [0] * len(lines)

    def _follow(self, lines: tuple[str, ...]) -> None:
        self.open, self.depth, self.bodiless = _followed(self.open, self.depth, self.bodiless, lines)

    def close(self) -> None:
        """End the open body: what follows is another place of the file."""
        if self.bodiless and not self.depth:
            self._invent("{", _GAP_LINE, "}")
        self.bodiless = False
        if self.depth:
            self._invent(_GAP_LINE, "}" * self.depth + ("" if _NAME.search(self.open) else ";"))
        self.open, self.depth = "", 0


@lru_cache(maxsize=4096)
def _followed(body: str, depth: int, bodiless: bool, lines: tuple[str, ...]) -> tuple[str, int, bool]:
    """Which body is open after some lines, how deep, and whether they end in a header without one."""
    header = ""
    for line in _uncommented(lines):
        if depth == 0 and _DEFINITION.match(line):
            header = line
        if depth == 0 and line.strip():
            bodiless = bool(header) and "(" in header and not line.rstrip().endswith((";", "}", "\\"))
        if line.startswith("}"):
            body, depth = "", 0
            continue
        depth = max(depth + line.count("{") - line.count("}"), 0)
        if depth and not body:
            body = header or line
        elif not depth and "}" in line:
            body = ""
    return body, depth, bodiless


@lru_cache(maxsize=4096)
def _uncommented(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Lines without their strings and comments, line by line; comments over several lines are dropped whole."""
    clean: list[str] = []
    in_comment = False
    for line in lines:
        rest = line
        if in_comment:
            _, ended, rest = line.partition("*/")
            if not ended:
                clean.append("")
                continue
            in_comment = False
            rest = " " + rest
        rest = _QUOTED.sub(" ", rest)
        rest, opened, _ = rest.partition("/*")
        in_comment = bool(opened)
        clean.append("" if rest.startswith("#") else rest)
    return tuple(clean)


@lru_cache(maxsize=4096)
def _start(lines: tuple[str, ...]) -> _Start:
    first = next((line for line in lines if "*/" in line or "/*" in line), "")
    in_comment = "*/" in first and ("/*" not in first or first.index("*/") < first.index("/*"))
    clean = _uncommented(("/*", *lines) if in_comment else lines)
    inside, end = True, len(clean)
    for number, line in enumerate(clean):
        if line.startswith("}"):
            end = number
            break
        if line[:1] == "{" or (_DEFINITION.match(line)):
            inside, end = False, 0
            break
    if not any(line.strip() for line in clean):
        inside = False
    return _Start(inside, in_comment, _unopened(clean[:end]) if inside else ())


def _unopened(lines: Sequence[str]) -> tuple[str, ...]:
    """Openings for the blocks that the lines close without having opened them, the outermost first."""
    depth, openings = 0, []
    for line in lines:
        for place, letter in enumerate(line):
            if letter == "{":
                depth += 1
            elif letter == "}":
                depth -= 1
                if depth < 0:
                    rest = line[place + 1 :].lstrip()
                    openings.append(_DO if rest.startswith("while") else _VALUE if rest.startswith(";") else _BLOCK)
                    depth = 0
    return tuple(reversed(openings))


@lru_cache(maxsize=4096)
def _begun(lines: tuple[str, ...]) -> str:
    """What begins the statement that the lines break into: a call or a condition, "" when they begin one themselves."""
    statement = ""
    for line in _uncommented(lines):
        statement += f" {line.strip()}"
        if statement.endswith((";", "{", "}")):
            break
    depth = unopened = last = 0
    for place, letter in enumerate(statement):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if -depth > unopened:
            unopened, last = -depth, place
    if not unopened:
        return ""
    operand = "out_of_sight " if statement.strip().startswith(("&&", "||", ",", "?", ":", "+ ", "| ")) else ""
    condition = not statement[last + 1 :].strip().startswith((";", ",", "&", "|", "=", "?", ".", "-"))
    return ("if (" if condition else "out_of_sight(") + "out_of_sight(" * (unopened - 1) + operand


@lru_cache(maxsize=4096)
def _unfinished(lines: tuple[str, ...]) -> str:
    """What ends the statement that the lines break off in, "" when there is none."""
    statement = ""
    for line in reversed(_uncommented(lines)):
        text = line.strip()
        if text.endswith((";", "{", "}", ":")):
            break
        statement = f"{text} {statement}"
    statement = statement.strip()
    open_ = statement.count("(") - statement.count(")")
    if not statement or open_ < 0 or (not open_ and statement.endswith(",")):
        return ""
    return ("out_of_sight" if statement.endswith(_GOES_ON) else "") + ")" * open_ + ";"


def _same(one: str, other: str) -> bool:
    """Whether two headers name the same function or struct."""
    names = [_NAME.search(header) for header in (one, other)]
    if names[0] and names[1]:
        return names[0][1] == names[1][1]
    return one.split("{")[0].strip() == other.split("{")[0].strip()


def _opening(section: str) -> str:
    """A line that opens the body which a hunk header names, "" when it names none."""
    header = section.rstrip()
    if _AGGREGATE.match(header) or header.endswith("{"):
        return header if header.endswith("{") else header + " {"
    if header.endswith(";") or not _NAME.search(header):
        return header + " {" if header.endswith("=") else ""
    return _header(header) + " {"


def _header(section: str) -> str:
    """The header of the function that a hunk header names, "" when it names none."""
    header = section.rstrip()
    if header.endswith((";", "{", "=")) or not _NAME.search(header):
        return ""
    if header.count("(") > header.count(")"):
        # The list of parameters goes on in the next line, or git cut the header short.
        cut = max(header.rfind(","), header.rfind("(") + 1)
        header = header[:cut] + ")" * (header[:cut].count("(") - header[:cut].count(")"))
    return f"int {header}" if _UNTYPED.match(header) else header


def sections_of(hunks: Sequence[Hunk], *, after: bool = False) -> dict[int, str]:
    """The words of hunk headers by the first line of the hunk."""
    return {hunk.new_start if after else hunk.old_start: hunk.section for hunk in hunks if hunk.section}
