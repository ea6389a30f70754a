"""Subject lines taken apart: reply or not, patch, cover or pull request, version, place in the series, title."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.model import Subject, SubjectKind

# "Re:" in the languages that turn up on the lists, with Outlook's and elm's counters; then forwards and robots.
_REPLY = re.compile(
    r"(?:re|aw|antw|sv|vs|odp|ref|res|rif|r|tr|wg|fw|fwd|rv|vl|doorst|回复|答复|回覆|转发|轉寄"
    r"|reply|forwarded|automatic reply|autoreply|undeliverable|recall)"
    r"(?: ?[\[(^]\d{1,3}[\])]?)? ?[:：]",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(\d{1,5})/(\d{1,5})")
_VERSION = re.compile(r"v\.?(\d{1,4})(?:\.(\d{1,4}))?", re.IGNORECASE)
_GLUED = re.compile(r"(patch|rfc|resend|pull)(v?\.?\d.*)", re.IGNORECASE)
_PULL_TITLE = re.compile(r"(?:git[ -]?)?pull(?:[ -]?request)?\s?(?::|for\b)", re.IGNORECASE)
_WORDS = {
    "PATCH": "PATCH",
    "PATCHES": "PATCH",
    "RFC": "RFC",
    "RESEND": "RESEND",
    "REPOST": "RESEND",
    "RESENT": "RESEND",
}
_LONGEST_PREFIX = 400  # characters of one [...]; more is no prefix
_MOST_PREFIXES = 50


@dataclass(slots=True)
class _Prefix:
    """What the bracketed words before the title said."""

    tags: list[str] = field(default_factory=list)
    patch: bool = False
    pull: bool = False
    version: int | None = None
    amendment: int = 0
    index: int | None = None
    total: int | None = None

    def tag(self, word: str) -> None:
        if word and word not in self.tags:
            self.tags.append(word)


def read(text: str) -> Subject:
    """Take a decoded subject line apart.  Never raises; time grows linearly with the text."""
    raw = " ".join(text.split())
    prefix, reply, rest = _Prefix(), False, raw
    for _ in range(_MOST_PREFIXES):
        match = _REPLY.match(rest)
        if match:
            # A "Re:" behind brackets counts as well: "[list] Re: [PATCH] x".
            reply, rest = True, rest[match.end() :].lstrip()
            continue
        inside, after = _bracket(rest)
        if inside is None:
            break
        _take(inside, prefix)
        rest = after
    kind = SubjectKind.REPLY if reply else _kind(prefix, rest)
    return Subject(
        raw,
        kind,
        rest,
        prefix.version or 1,
        prefix.amendment,
        prefix.index,
        prefix.total,
        tuple(prefix.tags),
    )


def _bracket(text: str) -> tuple[str | None, str]:
    """What the brackets that ``text`` begins with hold, nested ones flattened, and the text behind them."""
    if not text.startswith("["):
        return None, text
    depth = 0
    for at, char in enumerate(text[:_LONGEST_PREFIX]):
        depth += (char == "[") - (char == "]")
        if depth == 0:
            return text[:at].replace("[", " ").replace("]", " "), text[at + 1 :].lstrip()
    return None, text


def _take(inside: str, prefix: _Prefix) -> None:
    words = inside.replace(",", " ").replace(";", " ").split()
    at = 0
    while at < len(words):
        if words[at].lower() == "of" and 0 < at < len(words) - 1 and (words[at - 1] + words[at + 1]).isdecimal():
            _word(f"{words[at - 1]}/{words[at + 1]}", prefix)  # mercurial's "1 of 3"
            prefix.tags = [tag for tag in prefix.tags if tag != words[at - 1]]
            at += 2
            continue
        if words[at].lower() == "git" and at + 1 < len(words) and words[at + 1].lower().startswith("pull"):
            at += 1
        _word(words[at], prefix)
        at += 1


def _word(word: str, prefix: _Prefix) -> None:
    """One word of a prefix; a compound such as PATCHv2, RFC/PATCH or v4-2/3 is taken apart when its parts are known."""
    if _known(word, prefix):
        return
    glued = _GLUED.fullmatch(word)
    pieces = [glued[1], glued[2]] if glued else _pieces(word)
    if len(pieces) > 1 and any(_means_something(piece) for piece in pieces):
        for piece in pieces:
            if not _known(piece, prefix):
                prefix.tag(piece)
    else:
        prefix.tag(word.strip(":"))


def _pieces(word: str) -> list[str]:
    pieces: list[str] = []
    for piece in re.split(r"[-_:]", word):
        pieces += [piece] if _PLACE.fullmatch(piece) else piece.split("/")
    return [piece for piece in pieces if piece]


def _means_something(piece: str) -> bool:
    return piece.upper() in _WORDS or bool(_PLACE.fullmatch(piece) or _VERSION.fullmatch(piece))


def _known(word: str, prefix: _Prefix) -> bool:
    word = word.strip(":")
    upper = word.upper()
    if upper in _WORDS:
        if upper.startswith("PATCH"):
            prefix.patch = True
        else:
            prefix.tag(_WORDS[upper])
    elif upper in ("PULL", "PULLREQUEST", "PULL-REQUEST"):
        prefix.pull = True
    elif place := _PLACE.fullmatch(word):
        if prefix.index is None:
            prefix.index, prefix.total = int(place[1]), int(place[2])
    elif version := _VERSION.fullmatch(word):
        prefix.version, prefix.amendment = int(version[1]), int(version[2] or 0)
    else:
        return False
    return True


def _kind(prefix: _Prefix, title: str) -> SubjectKind:
    if prefix.pull or (not prefix.patch and _PULL_TITLE.match(title)):
        return SubjectKind.PULL
    # "[kvm:queue 3/7]" and "[linux-next:master 12/34]" are how a build robot names the commit that it complains of.
    robot = any(":" in tag for tag in prefix.tags)
    numbered = prefix.index is not None or prefix.version is not None
    if not (prefix.patch or (not robot and (numbered or {"RFC", "RESEND"} & set(prefix.tags)))):
        return SubjectKind.OTHER
    return SubjectKind.COVER if prefix.index == 0 else SubjectKind.PATCH
