"""Mails for tests, made from the few words that matter, and read by the real parser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from bot.mail import patch as patches
from bot.mail.parse import parse
from bot.model import Message, Patch, RawMail

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
ANN = "Ann Author <ann@example.org>"
BOB = "Bob Builder <bob@example.net>"


def diff(line: str = "new", path: str = "virt/kvm/kvm_main.c", old: str = "old") -> str:
    """A git diff that changes one line of one file."""
    return (
        f"diff --git a/{path} b/{path}\nindex 111111111111..222222222222 100644\n--- a/{path}\n+++ b/{path}\n"
        f"@@ -10,3 +10,3 @@ static void work(struct kvm *kvm)\n \tfirst();\n-\t{old}();\n+\t{line}();\n \tlast();\n"
    )


def patch_text(line: str = "new", trailers: str = "Signed-off-by: Ann Author <ann@example.org>") -> str:
    """What git format-patch puts below the header."""
    return f"Why it is needed.\n\n{trailers}\n---\n virt/kvm/kvm_main.c | 2 +-\n\n{diff(line)}-- \n2.44.0\n"


def raw(
    subject: str,
    name: str,
    *,
    to: str = "",
    sender: str = ANN,
    minute: int = 0,
    body: str | None = None,
    header: str = "",
    references: str = "",
) -> RawMail:
    """One mail as bytes: ``name`` is its id, ``to`` the id that it answers, ``minute`` counts from noon.

    ``references`` are ids, the oldest first.
    """
    date = format_datetime(NOON + timedelta(minutes=minute))
    lines = [
        f"From: {sender}",
        f"Subject: {subject}",
        f"Date: {date}",
        f"Message-ID: <{name}@x>",
        "To: kvm@vger.kernel.org",
    ]
    if to:
        chain = " ".join(f"<{one}@x>" for one in (references or to).split())
        lines += [f"In-Reply-To: <{to}@x>", f"References: {chain}"]
    if header:
        lines.append(header)
    text = patch_text(name) if body is None else body
    return RawMail("test", name, ("\n".join(lines) + "\n\n" + text).encode("utf-8", "surrogateescape"))


def read(mail: RawMail) -> tuple[Message, Patch | None]:
    """The message and its patch; fails when the mail is unreadable."""
    message = parse(mail)
    assert isinstance(message, Message), message
    return message, patches.of(message)


def mail(subject: str, name: str, **rest: object) -> tuple[Message, Patch | None]:
    return read(raw(subject, name, **rest))  # type: ignore[arg-type]
