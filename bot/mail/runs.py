"""Which mails were sent together: what their Message-IDs and their threading say."""

from __future__ import annotations

import hashlib
import re

from bot.model import Message

# The counter in the Message-IDs that one run of a tool gives out.  Behind them: git send-email, git send-email of old,
# b4 send, git format-patch --thread.  What is left when the counter is taken out names the run.
_COUNTED = (
    re.compile(r"(\d{14}\.\d{1,10}-)\d{1,5}(-.{1,900})"),
    re.compile(r"(\d{1,12}-\d{1,10}-)\d{1,5}(-git-send-email-.{1,900})"),
    re.compile(r"(\d{8}-[^@]{1,200}-v\d{1,4}-)\d{1,5}(-[0-9a-f]{12}@.{1,300})"),
    re.compile(r"()(?:cover|[0-9a-f]{40})(\.\d{1,12}\.git\.[^@]{1,200}@.{1,300})"),
)


def run(message_id: str) -> str:
    """The name of the run that gave out this id, "" when the id does not tell."""
    for pattern in _COUNTED:
        match = pattern.fullmatch(message_id)
        if match:
            return f"{match[1]}*{match[2]}"
    return ""


def of_one_run(one: str, other: str) -> bool:
    return bool(name := run(one)) and name == run(other)


def key(message: Message) -> str:
    """The key of the series that a patch or a cover begins or belongs to, as far as it tells by itself.

    Parts of one run share it whatever order they come in.  Other parts share it when they hang below the same mail and
    agree on author, version and total.  A lone patch has a key of its own: what hangs beside it is other work.
    """
    subject = message.subject
    if subject.total is None:
        return digest("patch", message.id)
    if name := run(message.id):
        return digest("run", name, str(subject.version), str(subject.total))
    root = message.parents[-1] if message.parents else message.id
    draft = "RFC" if "RFC" in subject.tags else ""
    return digest("thread", root, str(subject.version), str(subject.total), draft, message.sender.email)


def digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:24]
