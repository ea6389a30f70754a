"""pr-tracker-bot said that a pull request was merged: the series in it that had findings hear of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from bot.mail.parse import parse
from bot.model import Message, Series
from bot.ports import Transaction

_LATELY = timedelta(days=180)
_MOST_THREADS = 200
_MOST_TITLES = 2000
# A line of git-shortlog, as git-request-pull(1) writes it.
_TITLE = re.compile(r"^ {4,8}(\S[^\n]{9,300})$", re.MULTILINE)


async def pull_merged(transaction: Transaction, said: Message, now: datetime) -> None:
    """Add the robot's mail to the replies of each series that the pull request it answers brought.

    A pull request names titles and no mails, so a series is known by the titles of its patches.
    """
    titles = await _titles(transaction, said)
    if not titles:
        return
    for thread in await transaction.threads_with_findings(now - _LATELY, _MOST_THREADS):
        for series in reversed(await transaction.versions(thread)):
            if _brought(series, titles) and all(reply.id != said.id for reply in series.replies):
                await transaction.save_series(replace(series, replies=(*series.replies, said)))
                await transaction.stir(thread, now)
                break


async def _titles(transaction: Transaction, said: Message) -> frozenset[str]:
    for parent in said.parents:
        raw = await transaction.raw_mail(parent)
        pull = parse(raw) if raw else None
        if isinstance(pull, Message):
            return frozenset(_plain(title) for title in _TITLE.findall(pull.body)[:_MOST_TITLES])
    return frozenset()


def _brought(series: Series, titles: frozenset[str]) -> bool:
    own = [_plain(patch.message.subject.title) for patch in series.patches]
    return bool(own) and all(title in titles for title in own)


def _plain(title: str) -> str:
    return " ".join(title.casefold().split())
