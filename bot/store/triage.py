"""Triage in a transaction: verdicts, mutes, subscriptions, habits of channels, addresses of people, and the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, func, select

from bot.model import Deed, Habits, Mute, MuteKind, Person, Subscription, Triage, Verdict
from bot.store import schema
from bot.store.codec import dumps, loads
from bot.store.work import Work


class Decisions(Work):
    async def verdicts(self, fingerprints: Sequence[str]) -> Mapping[str, Triage]:
        column = schema.triage.c.fingerprint
        rows = await self.rows_for(select(schema.triage), column, dict.fromkeys(fingerprints))
        return {row.fingerprint: _triage(row) for row in rows}

    async def all_verdicts(self) -> tuple[Triage, ...]:
        table = schema.triage.c
        return tuple(
            _triage(row) for row in await self.rows(select(schema.triage).order_by(table.at, table.fingerprint))
        )

    async def set_verdict(self, triage: Triage) -> None:
        row = {
            "fingerprint": triage.fingerprint,
            "rule": triage.rule,
            "verdict": triage.verdict.value,
            "chat": triage.who.chat,
            "who": triage.who.id,
            "at": triage.at,
            "reason": triage.reason,
        }
        await self.put(schema.triage, [row], ["fingerprint"])

    async def drop_verdict(self, fingerprint: str) -> None:
        await self.execute(schema.triage.delete().where(schema.triage.c.fingerprint == fingerprint))

    async def tallies(self) -> Mapping[str, Mapping[Verdict, int]]:
        table = schema.triage.c
        # Who judges an object judges all its places at once, and that is one verdict.
        each = select(table.rule, table.verdict, table.chat, table.who, table.at).distinct().subquery().c
        question = select(each.rule, each.verdict, func.count()).group_by(each.rule, each.verdict)
        result: dict[str, dict[Verdict, int]] = {}
        for rule, verdict, count in await self.rows(question.order_by(each.rule)):
            result.setdefault(str(rule), {})[Verdict(verdict)] = int(count)
        return result

    # ---------------------------------------------------------------------------------------- mutes

    async def add_mute(self, mute: Mute) -> int:
        row = {
            "chat": mute.chat,
            "channel": mute.channel,
            "kind": mute.kind.value,
            "pattern": mute.pattern,
            "by_chat": mute.who.chat,
            "by": mute.who.id,
            "at": mute.at,
            "until": mute.until,
        }
        return await self._added(schema.mutes, row)

    async def mutes(self, now: datetime, chat: str = "", channel: str = "") -> tuple[Mute, ...]:
        table = schema.mutes.c
        question = select(schema.mutes).where(table.until.is_(None) | (table.until > now)).order_by(table.id)
        if chat:
            question = question.where(table.chat == chat, table.channel == channel)
        return tuple(_mute(row) for row in await self.rows(question))

    async def drop_mute(self, number: int) -> None:
        await self.execute(schema.mutes.delete().where(schema.mutes.c.id == number))

    # ---------------------------------------------------------------------------------------- subscriptions

    async def add_subscription(self, subscription: Subscription) -> int:
        row = {
            "chat": subscription.chat,
            "channel": subscription.channel,
            "words": subscription.words,
            "by_chat": subscription.who.chat,
            "by": subscription.who.id,
            "at": subscription.at,
        }
        return await self._added(schema.subscriptions, row)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        question = select(schema.subscriptions).order_by(schema.subscriptions.c.id)
        return tuple(
            Subscription(row.chat, row.channel, row.words, Person(row.by_chat, row.by), row.at, row.id)
            for row in await self.rows(question)
        )

    async def drop_subscription(self, number: int) -> None:
        await self.execute(schema.subscriptions.delete().where(schema.subscriptions.c.id == number))

    async def _added(self, table: Table, row: dict[str, Any]) -> int:
        key = (await self.execute(table.insert().values(row))).inserted_primary_key
        return int(key[0]) if key else 0

    # ---------------------------------------------------------------------------------------- channels and people

    async def habits(self, chat: str, channel: str) -> Habits | None:
        table = schema.channels.c
        rows = await self.rows(select(table.habits).where(table.chat == chat, table.channel == channel))
        return loads(Habits, rows[0].habits) if rows else None

    async def all_habits(self) -> tuple[tuple[str, str, Habits], ...]:
        rows = await self.rows(select(schema.channels).order_by(schema.channels.c.chat, schema.channels.c.channel))
        return tuple((row.chat, row.channel, loads(Habits, row.habits)) for row in rows)

    async def set_habits(self, chat: str, channel: str, habits: Habits) -> None:
        row = {"chat": chat, "channel": channel, "habits": dumps(habits)}
        await self.put(schema.channels, [row], ["chat", "channel"])

    async def address_of(self, person: Person) -> str:
        table = schema.people.c
        rows = await self.rows(select(table.address).where(table.chat == person.chat, table.who == person.id))
        return str(rows[0].address) if rows else ""

    async def set_address(self, person: Person, address: str) -> None:
        row = {"chat": person.chat, "who": person.id, "address": address}
        await self.put(schema.people, [row], ["chat", "who"])

    async def note_deed(self, deed: Deed) -> None:
        row = {
            "chat": deed.who.chat,
            "who": deed.who.id,
            "channel": deed.channel,
            "words": deed.words,
            "outcome": deed.outcome,
            "at": deed.at,
        }
        await self.execute(schema.audit.insert().values(row))

    async def deeds(self, limit: int, words: str = "") -> tuple[Deed, ...]:
        table = schema.audit.c
        question = select(schema.audit).order_by(table.id.desc()).limit(limit)
        if words:
            question = question.where(table.words.contains(words, autoescape=True))
        return tuple(
            Deed(Person(row.chat, row.who), row.channel, row.words, row.outcome, row.at)
            for row in await self.rows(question)
        )

    # ---------------------------------------------------------------------------------------- stirred threads

    async def stir(self, thread: str, due: datetime) -> None:
        table = schema.stirred
        statement = self.insert(table)
        # The smaller of two has another name in each database.
        least = func.least if self.connection.dialect.name == "postgresql" else func.min
        earlier = least(table.c.due, statement.excluded.due)
        statement = statement.on_conflict_do_update(index_elements=["thread"], set_={"due": earlier})
        await self.execute(statement, {"thread": thread, "due": due})

    async def stirred(self, now: datetime, limit: int) -> tuple[str, ...]:
        table = schema.stirred.c
        question = select(table.thread).where(table.due <= now).order_by(table.due, table.thread).limit(limit)
        return tuple(str(row.thread) for row in await self.rows(question))

    async def calm(self, thread: str, now: datetime) -> bool:
        table = schema.stirred
        seen = table.delete().where(table.c.thread == thread, table.c.due <= now)
        return (await self.execute(seen)).rowcount > 0


def _triage(row: Any) -> Triage:
    return Triage(row.fingerprint, row.rule, Verdict(row.verdict), Person(row.chat, row.who), row.at, row.reason)


def _mute(row: Any) -> Mute:
    who = Person(row.by_chat, row.by)
    return Mute(row.chat, row.channel, MuteKind(row.kind), row.pattern, who, row.at, row.until, row.id)
