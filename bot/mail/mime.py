"""The parts of a mail as the exact bytes that their sender encoded, with everything bounded before it is parsed."""

from __future__ import annotations

import binascii
import email
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from email.message import Message as Mime
from functools import lru_cache

MOST_BYTES = 8 * 1024 * 1024
MOST_HEADER_BYTES = 256 * 1024
MOST_FIELD_BYTES = 8 * 1024  # of a field that says how a part is built
MOST_PARTS = 500
MOST_DEPTH = 50

_FIELD = re.compile(rb"^content-(?:type|disposition|transfer-encoding)[^\n]*(?:\n[ \t][^\n]*)*", re.I | re.M)
_FIELD_NAME = re.compile(r"([!-9;-~]+)[ \t]*:")
_WHOLE_FIELD = re.compile(r"([!-9;-~]+)[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)\n")
_SHAPING = ("content-type", "content-disposition", "content-transfer-encoding")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


class TooMuchError(Exception):
    """A mail that costs too much to read; says in words what there is too much of."""


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of the MIME tree: its content after the transfer encoding was undone, byte for byte."""

    kind: str  # "text/plain"
    charset: str  # lower case, "" when not said
    content: bytes
    attached: bool = False
    name: str = ""
    flowed: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A mail's header fields as they stand, 8-bit bytes as surrogate escapes, and its leaves in order."""

    fields: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    problems: tuple[str, ...] = ()


def read(data: bytes) -> Tree:
    """Parse a mail once.  Raises TooMuchError before any parser could stall on it.

    Most mails have one part: of those only the header goes through the parser, which is three times as fast.
    Line ends of a mail that is stored as it went over the wire (CRLF after every header line) are the wire's, not the
    patch's, and become LF as in git-mailsplit; CRLF inside an encoded part is the patch's own and stays.
    """
    if len(data) > MOST_BYTES:
        raise TooMuchError(f"it is {len(data) / 1e6:.1f} MB, more than the {MOST_BYTES // 1024**2} MB that are read")
    head, body = _split(data)
    problems = []
    if head.count(b"\r\n") > head.count(b"\n") // 2:
        head, body, data = (text.replace(b"\r\n", b"\n") for text in (head, body, data))
    if len(head) > MOST_HEADER_BYTES:
        raise TooMuchError(f"its header is {len(head) // 1024} KB, more than the {MOST_HEADER_BYTES // 1024} KB read")
    fields, rest = _fields(head)
    if rest:  # a broken line ended the header early
        body = rest + b"\n" + body
    said = {name.lower(): value for name, value in reversed(fields) if name[:8].lower() == "content-"}
    _bound(len(said.get(name, "")) for name in _SHAPING)
    content_type, disposition, encoding = (said.get(name, "") for name in _SHAPING)
    shape = _shape(content_type, disposition)
    kind = shape.kind.partition("/")[0]
    if kind not in ("multipart", "message"):
        return Tree(fields, (_filled(shape, body, encoding),))
    if kind == "multipart":
        _bound_tree(data)
        parts = tuple(_leaves(email.message_from_bytes(data)))
        if not parts:
            problems.append("multipart without parts: its text is taken as it stands")
            parts = (Part("text/plain", "", body),)
        return Tree(fields, parts, tuple(problems))
    return Tree(fields, (Part("text/plain", "", body, problems=("a mail inside a mail is not opened",)),))


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Header and body; a mail that begins with an empty line, or with no header line, has no header."""
    if data[:5] in (b"From ", b">From"):
        data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
    end = data.find(b"\n\n")
    wired = data.find(b"\n\r\n", 0, end + 1 if end >= 0 else len(data))
    if wired >= 0:
        end = wired
    if end < 0:
        return data, b""
    return data[:end].removesuffix(b"\r") + b"\n", data[end + (3 if wired >= 0 else 2) :]


def _fields(head: bytes) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Header fields with their folded lines, and what follows the first line that is no field."""
    text = _text(head)
    whole: list[tuple[str, str]] = []
    at = 0
    while field := _WHOLE_FIELD.match(text, at):
        whole.append((field[1], field[2]))
        at = field.end()
    return (tuple(whole), b"") if at == len(text) else _odd_fields(text)


def _odd_fields(text: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    found: list[list[str]] = []
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if line[:1] in (" ", "\t") and found:
            found[-1].append(line)
        elif match := _FIELD_NAME.match(line):
            found.append([match[1], line[match.end() :].lstrip(" \t")])
        elif line:
            rest = "\n".join(lines[at:]).encode("ascii", "surrogateescape")
            return _folded(found), rest
    return _folded(found), b""


def _folded(found: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, "\n".join(lines)) for name, *lines in found)


def _bound_fields(text: bytes) -> None:
    _bound(len(match[0]) for match in _FIELD.finditer(text))


def _bound(sizes: Iterable[int]) -> None:
    longest = max(sizes, default=0)
    if longest > MOST_FIELD_BYTES:
        raise TooMuchError(f"a content header field in it is {longest // 1024} KB long")


def _bound_tree(data: bytes) -> None:
    """Count what could be parts before the parser, whose time and stack grow with them, sees the mail."""
    data = data.replace(b"\r", b"\n")  # to the parser a lone CR ends a line too
    _bound_fields(data)
    fields = [match[0] for match in _FIELD.finditer(data)]
    depth = sum(b"boundary" in field.lower() or b"message/" in field.lower() for field in fields)
    if depth > MOST_DEPTH:
        raise TooMuchError(f"it nests {depth} multipart bodies, more than {MOST_DEPTH}")
    boundaries = {_boundary(field) for field in fields if b"boundary" in field.lower()}
    parts = sum(data.count(b"\n--" + boundary) for boundary in boundaries)
    if parts > MOST_PARTS:
        raise TooMuchError(f"it has {parts} MIME parts, more than {MOST_PARTS}")
    if b"message/delivery-status" in data.lower() and len(data) > MOST_HEADER_BYTES:
        raise TooMuchError("it is a delivery report of more than 256 KB")


def _boundary(field: bytes) -> bytes:
    """The boundary that the parser will take from a Content-Type field."""
    head = Mime()
    head["Content-Type"] = _text(field.partition(b":")[2].strip())
    return (head.get_boundary("") or "").encode("utf-8", "surrogateescape")


def _leaves(top: Mime) -> list[Part]:
    """Leaves in order; an attached mail is not opened, for a bounced or forwarded patch is not sent for review."""
    waiting, found = [top], []
    while waiting:
        part = waiting.pop(0)
        if part.get_content_maintype() == "message":
            continue
        payload = part.get_payload()
        if isinstance(payload, list):
            waiting[:0] = [child for child in payload if isinstance(child, Mime)]
        else:
            encoding = part.get("Content-Transfer-Encoding", "")
            del part["Content-Transfer-Encoding"]  # the bytes are wanted as they stand; _filled undoes the encoding
            raw = part.get_payload(decode=True)
            found.append(_filled(_empty(part), raw if isinstance(raw, bytes) else b"", str(encoding)))
    return found


@lru_cache(maxsize=1000)  # a list of a thousand mails has ten kinds of these
def _shape(content_type: str, disposition: str) -> Part:
    """What the header says of a part; its content is not in it yet."""
    head = Mime()
    if content_type:
        head["Content-Type"] = content_type
    if disposition:
        head["Content-Disposition"] = disposition
    return _empty(head)


def _empty(head: Mime) -> Part:
    disposition = str(head.get("Content-Disposition", "")).lower()
    return Part(
        head.get_content_type(),
        str(head.get_content_charset("") or "").lower(),
        b"",
        attached=disposition.lstrip().startswith("attachment"),
        name=str(head.get_filename("") or "")[:200],
        flowed=str(head.get_param("format", "") or "").lower() == "flowed",
    )


def _filled(shape: Part, body: bytes, encoding: str) -> Part:
    content, problem = _decoded(body, encoding.strip().lower())
    return replace(shape, content=content, problems=(problem,) if problem else ())


def _decoded(body: bytes, encoding: str) -> tuple[bytes, str]:
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body), ""
    if encoding == "base64":
        return _base64(body)
    if encoding in ("x-uuencode", "uuencode", "uue", "x-uue"):
        return body, f"{encoding} is not decoded"
    return body, ""


def _base64(body: bytes) -> tuple[bytes, str]:
    """Decode as much as there is.  A list's footer in plain text behind the padding is not part of it."""
    end = body.find(b"=")
    letters = _NOT_BASE64.sub(b"", body if end < 0 else body[:end])
    short = len(letters) % 4
    problem = "" if end >= 0 or not short else "truncated base64: what was there is read"
    if short == 1:
        letters = letters[:-1]
        problem = "truncated base64: what was there is read"
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4)), problem


def _text(data: bytes) -> str:
    return data.decode("ascii", "surrogateescape")
