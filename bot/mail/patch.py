"""A message's diff read: the patch that it carries, or None when it carries none."""

from __future__ import annotations

from bot.mail import diff, trailers
from bot.mail.damage import damage, unclothed, unflowed, unwired
from bot.model import FileDiff, Message, Patch, SubjectKind, Trailer

_NEVER = frozenset({SubjectKind.COVER, SubjectKind.REPLY, SubjectKind.PULL})


def of(message: Message) -> Patch | None:
    """The patch in a message.

    A cover, a pull request and a reply carry none, whatever they quote.  A mail whose subject does not say PATCH counts
    when it has a diff, for people forget the prefix and tip's robot has its own; as an answer to another mail it must
    be signed off too, for suggestions are made with diffs.  A diff that could not be read gives a patch without files
    and with problems, so that it is counted and not lost.
    """
    kind = message.subject.kind
    if not message.patch_text or kind in _NEVER:
        return None
    files, problems = _files(message)
    if not files and not problems:
        return None
    found = trailers.read(message.patch_text)
    if message.patch_text != message.body:
        found = tuple(dict.fromkeys((*trailers.read(message.body), *found)))
    if kind is SubjectKind.OTHER and message.parents and not _values(found, "signed-off-by"):
        return None
    base = _values(found, "base-commit")
    return Patch(message, files, found, base[0] if base else "", _values(found, "prerequisite-patch-id"), problems)


def _files(message: Message) -> tuple[tuple[FileDiff, ...], tuple[str, ...]]:
    """The diff as it stands or, where a mail program is known to have changed it and that can be undone, as it was."""
    text = unclothed(unwired(message.patch_text))
    files, problems = diff.read(text)
    if "format=flowed" in message.problems and (problems or damage(files)):
        restored, left = diff.read(unflowed(text))
        if restored and not left and not damage(restored):
            return restored, ("the diff was sent as format=flowed and was put back as RFC 3676 says",)
        problems = (*problems, "mangled: the diff was sent as format=flowed and cannot be put back for sure")
    return files, (*problems, *damage(files))


def _values(found: tuple[Trailer, ...], name: str) -> tuple[str, ...]:
    return tuple(one.value for one in found if one.name.lower() == name)
