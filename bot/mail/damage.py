"""What mail programs do to a diff: recognised, and undone only where a standard says exactly how."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.model import FileDiff

_CLEARSIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
# Kernel files are indented with tabs; those of QEMU or of a selftest elsewhere need not be.
_TABBED = re.compile(
    r"(?:arch|block|crypto|drivers|fs|include|init|ipc|kernel|lib|mm|net|security|sound|virt)/.*\.[chS]"
)
_OWN_LINE = re.compile(r"^(?:diff --git |@@ -\d)[^\n]*", re.MULTILINE)
_ENOUGH = 6  # indented lines that it takes to say that no tab is left


def damage(files: Sequence[FileDiff]) -> tuple[str, ...]:
    """Signs of damage in a diff whose counts are right: blanks in place of tabs, or one blank too many everywhere."""
    lines = [line for file in files if _TABBED.fullmatch(file.path) for hunk in file.hunks for line in hunk.lines]
    if _is_stuffed(lines):
        return ("mangled: every unchanged line begins with a blank too many",)
    if any("\t" in line for line in lines):
        return ()
    indented = [line for line in lines if line[1:9].isspace() and line[9:].strip()]
    return ("mangled: no tab is left in the diff, blanks took their place",) if len(indented) >= _ENOUGH else ()


def _is_stuffed(lines: Sequence[str]) -> bool:
    """RFC 3676 stuffs a blank before each line that begins with one: unchanged lines, and no others."""
    context = [line for line in lines if line.startswith(" ") and line.strip()]
    return (
        len(context) >= _ENOUGH
        and all(line.startswith("  ") for line in context)
        and any(line.startswith("  \t") for line in context)
    )


def unflowed(text: str) -> str:
    """A format=flowed text with its soft line breaks joined and its stuffing removed (RFC 3676, section 4)."""
    joined: list[str] = []
    open_end = False
    for line in text.split("\n"):
        plain = line[1:] if line.startswith(" ") else line
        if open_end:
            joined[-1] += plain
        else:
            joined.append(plain)
        open_end = plain.endswith(" ") and plain not in ("-- ", " ")
    return "\n".join(joined)


def unwired(text: str) -> str:
    """A text that a mail program sent with CRLF throughout, with LF.

    git ends its own lines with LF even in the diff of a CRLF file, so CR at the end of those is the mail's.
    """
    if "\r\n" not in text:
        return text
    own = _OWN_LINE.findall(text)
    return text.replace("\r\n", "\n") if own and all(line.endswith("\r") for line in own) else text


def unclothed(text: str) -> str:
    """A clear-signed text without the "- " that OpenPGP puts before lines that begin with a dash (RFC 9580, 7.2)."""
    if _CLEARSIGNED not in text[:2000]:
        return text
    return "\n".join(line[2:] if line.startswith("- ") else line for line in text.split("\n"))
