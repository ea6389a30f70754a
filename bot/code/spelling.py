"""How a piece of C is spelled: on one line, without idle blanks, split at its commas."""

from __future__ import annotations

import re

_IDLE_BLANKS = re.compile(r" ?(->|[.,()\[\]&*]) ?")


def flat(text: str) -> str:
    """Source text on one line."""
    return " ".join(text.split())


def tight(text: str) -> str:
    """An expression without blanks that carry no meaning, so that two spellings compare equal."""
    return "".join(_IDLE_BLANKS.split(flat(text)))  # what the group holds is kept


def split_arguments(text: str) -> list[str]:
    """Split at the commas that stand outside all brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return parts
