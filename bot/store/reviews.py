"""Reviews in a transaction, with a row for each finding so that they can be counted and followed across versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.model import Finding, Review
from bot.store import schema
from bot.store.codec import dumps, loads
from bot.store.work import CHUNK, Work

_MOST = 200


class Reviews(Work):
    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._reviews: dict[str, Review] = {}  # to write

    async def add_review(self, review: Review) -> None:
        self._reviews[review.series] = review

    async def flush(self) -> None:
        await super().flush()
        if self._reviews:
            table, reviews = schema.reviews, tuple(self._reviews.values())
            self._reviews.clear()
            keys = [review.series for review in reviews]
            for start in range(0, len(keys), CHUNK):  # their findings go with them
                await self.execute(table.delete().where(table.c.series.in_(keys[start : start + CHUNK])))
            bodies = [{"series": one.series, "body": dumps(replace(one, findings=()))} for one in reviews]
            await self.insert_new(table, bodies)
            await self.insert_new(schema.findings, [row for review in reviews for row in _rows(review)])

    async def review(self, series_key: str) -> Review | None:
        if series_key in self._reviews:
            return self._reviews[series_key]
        table, found = schema.reviews.c, schema.findings.c
        bodies = await self.rows(select(table.body).where(table.series == series_key))
        if not bodies:
            return None
        rows = await self.rows(select(found.body).where(found.series == series_key).order_by(found.place))
        return replace(loads(Review, bodies[0].body), findings=tuple(loads(Finding, body) for (body,) in rows))

    async def findings(self, thread: str) -> tuple[tuple[int, Finding], ...]:
        await self.flush()
        series, found = schema.series.c, schema.findings.c
        question = (
            select(series.version, found.body)
            .join_from(schema.findings, schema.series, found.series == series.key)
            .where(series.thread == thread)
            .order_by(series.version, series.id, found.place)
        )
        return tuple((version, loads(Finding, body)) for version, body in await self.rows(question))

    async def located(self, prefix: str) -> tuple[tuple[str, Finding], ...]:
        await self.flush()
        series, found = schema.series.c, schema.findings.c
        question = (
            select(series.thread, found.body)
            .join_from(schema.findings, schema.series, found.series == series.key)
            .where(found.fingerprint.startswith(prefix, autoescape=True))
            .order_by(series.version.desc(), series.id.desc(), found.place)
        )
        return tuple((str(thread), loads(Finding, body)) for thread, body in await self.rows(question.limit(_MOST)))

    async def threads_with_findings(self, since: datetime, limit: int) -> tuple[str, ...]:
        await self.flush()
        series, found = schema.series.c, schema.findings.c
        question = (
            select(series.thread, func.max(series.id))
            .join_from(schema.findings, schema.series, found.series == series.key)
            .where(series.settles_at >= since)
            .group_by(series.thread)
            .order_by(func.max(series.id).desc())
        )
        return tuple(str(thread) for thread, _ in await self.rows(question.limit(limit)))

    async def findings_by_rule(self) -> dict[str, int]:
        await self.flush()
        table = schema.findings.c
        rows = await self.rows(select(table.rule, func.count()).group_by(table.rule).order_by(table.rule))
        return {str(rule): int(count) for rule, count in rows}


def _rows(review: Review) -> list[dict[str, Any]]:
    return [
        {
            "series": review.series,
            "place": place,
            "rule": finding.rule,
            "fingerprint": finding.fingerprint,
            "body": dumps(finding),
        }
        for place, finding in enumerate(review.findings)
    ]
