"""A message's diff read: the patch that it carries, or None when it carries none."""

from __future__ import annotations

from bot.mail import diff, trailers
from bot.model import Message, Patch, SubjectKind, Trailer

_NEVER = frozenset({SubjectKind.COVER, SubjectKind.REPLY, SubjectKind.PULL})


def of(message: Message) -> Patch | None:
    """The patch in a message.

    A cover, a pull request and a reply carry none, whatever they quote.  A mail whose subject does not say PATCH counts
    when it is no answer to another mail and has a diff: people forget the prefix.  A diff that could not be read gives
    a patch without files and with problems, so that it is counted and not lost.
    """
    kind = message.subject.kind
    if not message.patch_text or kind in _NEVER or (kind is SubjectKind.OTHER and message.parents):
        return None
    files, problems = diff.read(message.patch_text)
    if not files and not problems:
        return None
    found = trailers.read(message.patch_text)
    if message.patch_text != message.body:
        found = tuple(dict.fromkeys((*trailers.read(message.body), *found)))
    base = _values(found, "base-commit")
    return Patch(message, files, found, base[0] if base else "", _values(found, "prerequisite-patch-id"), problems)


def _values(found: tuple[Trailer, ...], name: str) -> tuple[str, ...]:
    return tuple(one.value for one in found if one.name.lower() == name)
