"""Raw mail in, Message or Unreadable out: the only door to mail-parser, and it never raises."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header
from email.message import Message as Mime

from mailparser import MailParser  # type: ignore[import-untyped]  # the library has no types

from bot.mail import dates, mime, plain, subject
from bot.model import Address, Message, RawMail, Subject, SubjectKind, Unreadable

_ID = re.compile(r"<([^<>\s]{1,998})>")
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,200}")
_LIST_ID = re.compile(r"<([\w.-]{3,200})>")
_LIST_DOMAIN = re.compile(
    r"vger\.|lists?[.-]|[\w.-]{1,60}\.lists?\.|(?:kvack|nongnu|infradead)\.org$|googlegroups\.com$"
)
_DIFF = re.compile(rb"^(?:diff --(?:git|cc|combined) |Index: |--- [^\n]*\n\+\+\+ )", re.MULTILINE)
_CHANGE_ID = re.compile(r"^change-id: ?(\S{1,200})\s*$", re.MULTILINE | re.IGNORECASE)
_WIDE = ("utf-16", "utf-32", "utf-7", "utf16", "utf32", "utf7", "ucs-2", "unicode-1-1-utf-7")
_ASKED = frozenset({"from", "subject", "date"})  # what mail-parser is handed
_TELLING = _ASKED | {"message-id", "to"}  # a text without any of these is no mail
_LONGEST_SUBJECT = 8 * 1024  # an encoded subject of 1 MB keeps a decoder busy for seconds
_LONGEST_FIELD = 64 * 1024
_MOST_PARENTS = 200
_NO_ID = "@no-message-id.invalid"


def parse(raw: RawMail) -> Message | Unreadable:
    """One mail read once: its header by mail-parser, its parts as the exact bytes that were sent.

    Never raises.  What is too big, empty or no mail at all is Unreadable, with a cure; what is merely odd is read and
    said in ``problems``.  A mail without Message-ID is kept under an id made from its sender, date, subject and text,
    because dropping it would lose a patch, and the same mail on two lists still gets the same id.
    """
    if not raw.data.strip():
        return _unreadable(raw, "it is empty", "remove it, or fetch it again if the source has more")
    try:
        return _message(raw, mime.read(raw.data))
    except mime.TooMuchError as too_much:
        return _unreadable(raw, str(too_much), "look at it by hand; patches come as smaller mails, one change each")
    except Exception as fault:  # noqa: BLE001  whatever a crafted mail makes a parser raise, the next mail must be read
        reason = f"its header or parts cannot be parsed ({type(fault).__name__}: {str(fault)[:200]})"
        return _unreadable(raw, reason, "check that the source holds mails as RFC 5322 has them")


def _unreadable(raw: RawMail, reason: str, cure: str) -> Unreadable:
    return Unreadable(f"{raw.feed} {raw.position}".strip(), reason, cure, raw.position)


def _message(raw: RawMail, tree: mime.Tree) -> Message | Unreadable:
    fields = _fields(tree.fields)
    if not _TELLING & fields.keys():
        if _has_diff(raw.data) and b"\0" not in raw.data:
            return _bare_diff(raw.data)
        cure = "give a mail, an mbox, or a patch as git format-patch or git diff write it"
        return _unreadable(raw, "it has no mail header and no diff", cure)
    known, undecoded = _decoded(fields)
    title = subject.read(_printable(known.subject))
    body, patch_text, odd = _texts(tree.parts)
    sent, wrong_date = dates.believed(known.date, fields.get("received", ("",))[0])
    problems = [*tree.problems, *odd, undecoded, wrong_date, *_header_problems(fields)]
    own, wrong_id = _own_id(fields, body)
    return Message(
        id=own,
        subject=title,
        sender=known.sender,
        sent_at=sent,
        lists=_lists(fields),
        parents=_parents(fields, own),
        body=body,
        patch_text=patch_text,
        change_id=_change_id(body),
        problems=tuple(problem for problem in (*problems, wrong_id) if problem),
    )


def _bare_diff(data: bytes) -> Message:
    """A diff without any mail around it, as ``git diff`` writes it: a patch by nobody, at no time."""
    text = _escaped(data)
    made = hashlib.sha256(data).hexdigest()[:32] + _NO_ID
    title = Subject("", SubjectKind.PATCH, "")
    return Message(made, title, Address("", ""), None, (), (), text, text, problems=("no mail header: a bare diff",))


def _fields(fields: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Values by lower-case name, 8-bit bytes read as UTF-8, else as Latin-1."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(_clean(value))
    return {name: tuple(values) for name, values in found.items()}


def _clean(value: str) -> str:
    if value.isascii():
        return value
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


@dataclass(frozen=True, slots=True)
class _Head:
    """The three fields that have to be decoded."""

    subject: str
    sender: Address
    date: datetime | None


def _decoded(fields: Mapping[str, tuple[str, ...]]) -> tuple[_Head, str]:
    """Sender, subject and date, and what went wrong (""): plain ones as they stand, all others decoded by mail-parser.

    It is given those three fields alone.  It would also read the body, and normalise it (NFC), and parse each address
    of long To fields twice.  A field that it cannot decode is taken as it stands: a broken name must not cost a patch.
    """
    said = {name: fields[name][0][:_LONGEST_SUBJECT] for name in _ASKED & fields.keys()}
    if known := _plain(said):
        return known, ""
    try:
        for value in said.values():
            decode_header(value)  # mail-parser would put what it cannot decode, a stranger's text, into the log
        return _asked(said), ""
    except Exception:  # noqa: BLE001  broken encoded words raise whatever the codec in them raises
        tame = {name: value.replace("=?", "= ?").replace("\0", " ") for name, value in said.items()}
        return _asked(tame), "an encoded header field is broken and was taken as it stands"


def _plain(said: Mapping[str, str]) -> _Head | None:
    """The three fields where nothing in them has to be decoded."""
    title = plain.subject(said.get("subject", ""))
    sender = plain.sender(said.get("from", ""))
    date = plain.date(said.get("date", ""))
    return None if title is None or sender is None or date is None else _Head(title, _sender((sender,)), date)


def _asked(said: Mapping[str, str]) -> _Head:
    head = Mime()
    for name, value in said.items():
        head[name] = value
    known = MailParser(head)
    date: datetime | None = known.date
    return _Head(known.subject, _sender(known.from_), date.replace(tzinfo=UTC) if date and not date.tzinfo else date)


def _printable(text: str) -> str:
    """Without control characters and lone surrogates: it goes to people's screens."""
    if text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else " " for char in text)


def _sender(found: Sequence[tuple[str, str]]) -> Address:
    name, email = found[0] if found else ("", "")
    return Address(" ".join(_printable(name).split())[:200], _printable(email).strip().lower()[:320])


def _header_problems(fields: Mapping[str, tuple[str, ...]]) -> Iterable[str]:
    if "from" not in fields:
        yield "no sender"
    for name in ("message-id", "from", "subject", "date"):
        if len(set(fields.get(name, ()))) > 1:
            yield f"{name} is there {len(fields[name])} times: the first counts"
    if len(fields.get("subject", ("",))[0]) > _LONGEST_SUBJECT:
        yield "the subject is cut at 8 KB"
    if fields.get("x-patchwork-hint", ("",))[0].strip().lower() == "ignore":
        yield "x-patchwork-hint: ignore"
    if fields.get("auto-submitted", ("",))[0].strip().lower().startswith("auto-replied"):
        yield "auto-submitted: auto-replied"


def _own_id(fields: Mapping[str, tuple[str, ...]], body: str) -> tuple[str, str]:
    said = fields.get("message-id", ("",))[0]
    match = _ID.search(said)
    plain = "".join(said.split()).strip("<>")
    if match or (0 < len(plain) <= 998 and plain.isprintable()):
        return (match[1] if match else plain), ""
    seed = [fields.get(name, ("",))[0] for name in ("from", "date", "subject")]
    text = "\n".join((*seed, body.strip()))
    made = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32] + _NO_ID
    return made, "no Message-ID: one was made from its content"


def _parents(fields: Mapping[str, tuple[str, ...]], own: str) -> tuple[str, ...]:
    answered = _ID.findall(fields.get("in-reply-to", ("",))[0][:_LONGEST_FIELD])
    referred = _ID.findall(fields.get("references", ("",))[0][-_LONGEST_FIELD:])
    found = dict.fromkeys((*answered, *reversed(referred)))
    found.pop(own, None)
    return tuple(found)[:_MOST_PARENTS]


def _lists(fields: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The list addresses among To and Cc, and the one of List-Id (``<kvm.vger.kernel.org>`` is kvm@vger.kernel.org)."""
    found: dict[str, None] = {}
    for name in ("to", "cc"):
        for value in fields.get(name, ()):
            for address in _ADDRESS.findall(value[:_LONGEST_FIELD]):
                local, _, domain = address.lower().partition("@")
                if _LIST_DOMAIN.match(domain) or local.startswith("linux-"):
                    found[f"{local}@{domain}"] = None
    for value in fields.get("list-id", ()):
        match = _LIST_ID.search(value[:1000])
        if match and "." in match[1]:
            found[match[1].lower().replace(".", "@", 1)] = None
    return tuple(found)


def _texts(parts: Sequence[mime.Part]) -> tuple[str, str, list[str]]:
    """What a person reads, what carries the diff, and what was odd about them."""
    problems: list[str] = []
    shown = next((part for part in parts if part.kind == "text/plain" and not part.attached), None)
    if shown is None:
        shown = next((part for part in parts if part.kind.startswith("text/") and not part.attached), None)
        if shown is not None and shown.kind == "text/html":
            problems.append("only HTML: a diff in it is not read")
    body = _shown(shown, problems) if shown else ""
    carriers = [part for part in parts if part.kind != "text/html" and _has_diff(part.content)]
    if shown in carriers:
        carriers = [shown] if shown else []
    for part in dict.fromkeys((*([shown] if shown else []), *carriers)):
        problems += part.problems
        if part.flowed:
            problems.append("format=flowed")
        if b"\0" in part.content:
            problems.append("NUL bytes in the text")
    if len(carriers) > 1:
        problems.append(f"{len(carriers)} attached patches are read as one")
    return body, "\n".join(body if part is shown else _shown(part, problems) for part in carriers), problems


def _has_diff(content: bytes) -> bool:
    # Looking for a word is ten times as fast as trying a pattern at every line.
    return (b"diff --" in content or b"Index: " in content or b"\n+++ " in content) and bool(_DIFF.search(content))


def _shown(part: mime.Part, problems: list[str]) -> str:
    """A part's text under Message's contract; only an encoding that is no superset of ASCII has to be transcoded."""
    if part.charset.startswith(_WIDE):
        try:
            text = part.content.decode(part.charset)
            text.encode("utf-8")
        except (LookupError, UnicodeError):
            problems.append(f"the text is not the {part.charset} it says it is")
        else:
            return text
    return _escaped(part.content)


def _escaped(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _change_id(body: str) -> str:
    found = _CHANGE_ID.findall(body) if "hange-" in body else []
    return _printable(found[-1]) if found else ""
