"""Did a person say it first?  A reply on the list that quotes the code of a finding and speaks of the same thing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from bot.model import Finding, Message, Series

_MOST_REPLIES = 300  # what is said after so many was said before
_MOST_LETTERS = 30_000
_MOST_LINES = 2000
_SHORT = 8  # letters; a quoted brace says nothing
_WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
# A remark that uses none of these speaks of something else, whatever it quotes.
_OF_RCU = frozenset(
    {
        "rcu", "srcu", "synchronize_rcu", "synchronize_srcu", "call_rcu", "call_srcu", "kfree_rcu", "list_del_rcu",
        "list_add_rcu", "hlist_del_rcu", "rcu_read_lock", "rcu_dereference", "rcu_assign_pointer", "srcu_read_lock",
        "grace", "uaf", "use_after_free", "lockless", "poison", "poisoned", "readers", "reader", "rcu_barrier",
        "srcu_barrier", "synchronize",
    }
)  # fmt: skip
_ROBOTS = re.compile(r"(?:^|[^a-z])(?:bot|robot|lkp|syzbot|noreply)(?:[^a-z]|$)", re.IGNORECASE)


def by(series: Iterable[Series], finding: Finding) -> Message | None:
    """The first reply, to any of these versions, that raises what the finding says; never the author's own."""
    for one in series:
        for reply in one.replies[:_MOST_REPLIES]:
            if (
                reply.sender.email != one.author.email
                and not _ROBOTS.search(reply.sender.email)
                and _raises(reply, finding)
            ):
                return reply
    return None


def _raises(reply: Message, finding: Finding) -> bool:
    quoted, words = _read(reply.body[:_MOST_LETTERS])
    if not words & (_OF_RCU | _primitives(finding)):
        return False
    code = {_tight(item.code) for item in finding.evidence if item.line and len(_tight(item.code)) > _SHORT}
    # Code that no patch touches cannot be quoted from one: naming its function is as good.
    return finding.function.lower() in words or bool(code & quoted)


@lru_cache(maxsize=500)
def _read(body: str) -> tuple[frozenset[str], frozenset[str]]:
    """The lines that a mail quotes, without blanks, and the words that its author wrote; asked for each finding."""
    quoted, said = _parted(body)
    words = frozenset(word.lower() for line in said for word in _WORDS.findall(line))
    return frozenset(_tight(line) for line in quoted), words


def _parted(body: str) -> tuple[list[str], list[str]]:
    """The lines that a mail quotes, without marks, and those that its author wrote."""
    quoted: list[str] = []
    said: list[str] = []
    for line in body.split("\n")[:_MOST_LINES]:
        text = line.lstrip()[:400]
        if text.startswith(">"):
            quoted.append(text.lstrip("> "))
        elif text.startswith("-- ") or text == "--":
            break
        else:
            said.append(text)
    return quoted, said


def _primitives(finding: Finding) -> set[str]:
    """The calls that the first line of the warning names: "list_del() on …"."""
    return {word.lower() for word in re.findall(r"([A-Za-z_][A-Za-z0-9_]{2,80})\(\)", finding.text[:400])}


def _tight(code: str) -> str:
    return "".join(code.lstrip("+- ")[:400].split())
