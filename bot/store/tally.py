"""How much was looked at, counted over all that is stored, and the reviewed series one page after the other."""

from __future__ import annotations

from typing import Any

from sqlalchemy import distinct, func, select

from bot.model import Review, Scan, Series
from bot.store import schema
from bot.store.codec import loads
from bot.store.reviews import Reviews
from bot.store.shelf import Shelf

_PAGE = 1000


class Tally(Reviews, Shelf):
    async def scan(self) -> Scan:
        """Mails without those that came twice; series and patches that were reviewed; functions that were looked at."""
        await self.flush()
        parts, reviews = schema.parts.c, schema.reviews.c
        (messages,) = (await self.rows(select(func.count()).select_from(schema.messages)))[0]
        question: Any = (
            select(func.count(), func.count(distinct(parts.series)))
            .join_from(schema.parts, schema.reviews, parts.series == reviews.series)
            .where(parts.name.startswith("patch "))
        )
        patches, series = (await self.rows(question))[0]
        functions, last = 0, ""
        while page := await self.rows(
            select(reviews.series, reviews.body).where(reviews.series > last).order_by(reviews.series).limit(_PAGE)
        ):
            functions += sum(loads(Review, body).functions for _, body in page)
            last = page[-1].series
        return Scan(int(messages), int(patches), int(series), functions)

    async def reviewed(self, after: str, limit: int, *, faulty: bool) -> tuple[tuple[Series, Review], ...]:
        """Reviewed series with patches, in the order they came, from the one behind the key ``after`` on.

        "" is before the first.  Only those with findings when ``faulty`` is set.
        """
        await self.flush()
        series, parts = schema.series.c, schema.parts.c
        at = select(series.id).where(series.key == after).scalar_subquery()
        question = (
            select(series.key)
            .join(schema.reviews, schema.reviews.c.series == series.key)
            .where(select(parts.name).where(parts.series == series.key, parts.name.startswith("patch ")).exists())
            .order_by(series.id)
            .limit(limit)
        )
        if after:
            question = question.where(series.id > at)
        if faulty:
            question = question.where(
                select(schema.findings.c.rule).where(schema.findings.c.series == series.key).exists()
            )
        found = await self._held([key for (key,) in await self.rows(question)])
        return tuple([(one, await self.review(one.key) or Review(one.key)) for one in found])
