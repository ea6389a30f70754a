"""series: the last series that came in, those that match some words, or all versions of the one in a thread."""

from __future__ import annotations

from bot.model import Ask, Page, Reply, Review, Series, Text
from bot.ports import Transaction
from bot.report import links
from bot.report.card import count
from bot.report.filters import FilterError, parse
from bot.report.text import one_line
from handlers.command import Command, UnclearError
from handlers.doors import Doors

_SHOWN = 10
_SEARCHED = 300


async def answer(ask: Ask, doors: Doors) -> Reply:
    async with doors.store.transaction() as transaction:
        if ask.thread and not ask.words:
            found = await transaction.versions(ask.thread)
            title = f"{count(len(found), 'version')} of this series"
        else:
            found = await _found(transaction, ask.words)
            title = f"The last series with {one_line(ask.words, 60)!r}" if ask.words else "The last series"
        reviews = [await transaction.review(series.key) for series in found]
    if not found:
        # In a thread these words may not have been meant for us.
        raise UnclearError(f"No series has {ask.words[:60]!r} in its title or author." if ask.words else "None so far.")
    lines = [_line(series, review) for series, review in zip(found, reviews, strict=True)]
    return Reply(Page(title, parts=tuple(Text(line) for line in lines)))


async def _found(transaction: Transaction, words: str) -> tuple[Series, ...]:
    """Words are looked for in title and author; with a field such as ``path:`` among them they are a filter."""
    if ":" not in words:
        return await transaction.recent_series(_SHOWN, words)
    try:
        filter_ = parse(words)
    except FilterError as fault:
        raise UnclearError(str(fault)) from fault
    recent = await transaction.recent_series(_SEARCHED)
    return tuple(one for one in recent if filter_.admits(one))[:_SHOWN]


def _line(series: Series, review: Review | None) -> str:
    message = links.first_message(series)
    sent = f" of {message.sent_at:%Y-%m-%d}" if message and message.sent_at else ""
    found = f"{series.state}" if review is None else count(len(review.findings), "finding")
    parts = f"{len(series.patches)} of {count(series.expected, 'patch', 'patches')}"
    title, author = one_line(series.title, 120), one_line(series.author.name or series.author.email, 60)
    return f"{title}\nv{series.version}{sent} by {author}, {parts}, {found} · {links.of_series(series)}"


COMMAND = Command(
    name="series",
    usage="series [WORDS|FILTER]",
    summary="The last series, those with these words in title or author; in a thread, all its versions.",
    examples=("series", "series vfio", "series list:kvm path:virt/kvm"),
    answer=answer,
    aliases=("recent", "versions", "find"),
)
