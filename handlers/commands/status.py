"""status: how much has come in, been reviewed and been said, and what is watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.model import Ask, Fields, Page, Reply
from bot.ports.replicas import FEED, PAGE, REVIEW
from bot.report.feed_health import line
from handlers.command import Command, UnclearError
from handlers.doors import Doors

_BRIEFLY = {REVIEW: "under review", PAGE: "being sent"}


async def answer(ask: Ask, doors: Doors) -> Reply:
    if ask.words:
        raise UnclearError("`status` takes no words.")
    async with doors.store.reading() as transaction:
        holdings = await transaction.holdings()
        counts = await transaction.counts()
        by_rule = await transaction.findings_by_rule()
        feeds = await transaction.feed_states()
    pairs = [*doors.about(), ("rules", str(len(doors.rules())))]
    pairs += [(f"replica {name}", _held(kinds, name == doors.store.replica)) for name, kinds in holdings.items()]
    watched = [state for state in feeds if state.feed in doors.feeds]
    pairs += [(f"feed {state.feed}", line(state, doors.now())) for state in watched]
    pairs += [(name, f"{number:,}") for name, number in counts.items()]
    most = sorted(by_rule.items(), key=lambda pair: (-pair[1], pair[0]))
    pairs += [("findings by rule", ", ".join(f"{rule} {number:,}" for rule, number in most))] if most else []
    return Reply(Page("gracewatch is at work", parts=(Fields(tuple(pairs)),)))


def _held(kinds: Mapping[str, Sequence[str]], this_one: bool) -> str:
    """What a replica holds: its feeds by name, and of what comes and goes how much."""
    said = [f"reads {', '.join(kinds[FEED])}"] if kinds.get(FEED) else []
    said += [f"{len(kinds[kind])} {words}" for kind, words in _BRIEFLY.items() if kinds.get(kind)]
    return ("this one: " if this_one else "") + ("; ".join(said) or "nothing just now")


COMMAND = Command(
    name="status",
    usage="status",
    summary="What is watched, and how much has come in, been reviewed and been said.",
    examples=("status", "status --here"),
    answer=answer,
    aliases=("stats", "ping", "health"),
)
