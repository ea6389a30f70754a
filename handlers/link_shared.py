"""Somebody pasted an address of mail where the bot is: say what is known of its series, and fetch nothing."""

from __future__ import annotations

from bot.model import Page, Review, Series, Text
from bot.ports import Store, StoreError
from bot.report import links
from bot.report.bar import USUAL, worst
from bot.report.card import count
from bot.report.text import one_line
from handlers.command import UnclearError
from handlers.commands.check import message_id


async def link_shared(address: str, store: Store) -> Page | None:
    """The verdict on the series that the mail belongs to; None when no feed brought it."""
    try:
        wanted = message_id(address)
        async with store.transaction() as transaction:
            known = await transaction.series_of((wanted,))
            series = max(known, key=lambda one: one.version, default=None)
            review = await transaction.review(series.key) if series else None
    except (UnclearError, StoreError):
        return None  # nobody asked, so nobody is told
    return page(series, review) if series else None


def page(series: Series, review: Review | None) -> Page:
    """A verdict in two lines."""
    findings = USUAL.over(review.findings) if review else ()
    objects = ", ".join(dict.fromkeys(one_line(finding.subject, 60) for finding in findings))
    found = f"{count(len(findings), 'finding')}: {objects}" if findings else "nothing found"
    said = found if review else "not reviewed yet"
    title = f"{one_line(series.title, 200) or '(no subject)'} v{series.version}"
    return Page(title, links.of_series(series), worst(findings), (Text(one_line(said, 500)),))
