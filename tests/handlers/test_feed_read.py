"""Operators are told once when a feed is in trouble and once when that is over, whatever crashes in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.feeds.mbox import Mbox
from bot.model import Brought, RawMail, Trouble, Unreadable
from bot.ports import FeedError
from handlers.delivery_due import interrupted
from handlers.feed_read import Heard, feed_read, sent_at
from handlers.policy import Place, Policy
from handlers.poll_due import poll_due
from handlers.series_settled import series_settled
from tests.handlers.outbox import Outbox, outbox
from tests.handlers.test_series_settled import Findings
from tests.report.making import series

OPERATORS = Policy(operators=(Place("console", "#ops"),), patience=timedelta(minutes=30))
HOUR = timedelta(hours=1)


async def read(it: Outbox, brought: Brought, failure: str = "") -> None:
    await feed_read(it.store, it.clock, "kvm", brought, failure, OPERATORS, it.figures)


def a_month(it: Outbox) -> Brought:
    dates = tuple(it.clock.now() - number * HOUR for number in range(24 * 30))
    return Brought(len(dates), dates=dates)


def in_trouble(it: Outbox) -> float | None:
    labels = {"feed": "kvm", "trouble": "failing"}
    return it.figures.registry.get_sample_value("gracewatch_feed_trouble", labels)


async def test_a_failure_is_told_once_and_its_end_once(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await read(it, a_month(it))
        for _ in range(10):
            it.clock.pass_by(timedelta(minutes=5))
            await read(it, Brought(), "no answer from the server")
        assert in_trouble(it) == 1
        for _ in range(3):
            it.clock.pass_by(timedelta(minutes=5))
            await read(it, Brought())
        assert await it.deliver() == 2
        assert it.chat.said.count("Feed kvm cannot be read") == 1
        assert it.chat.said.count("no answer from the server") == 1
        assert it.chat.said.count("│ Feed kvm is read again") == 1
        assert in_trouble(it) == 0


async def test_a_silence_is_told_once_and_so_is_the_next_one(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await read(it, a_month(it))
        for _ in range(2):
            for _ in range(5):
                it.clock.pass_by(HOUR)
                await read(it, Brought())
            await read(it, Brought(1, dates=(it.clock.now() - 2 * HOUR,)))
        assert await it.deliver() == 4
        assert it.chat.said.count("is unusually silent") == 2
        assert it.chat.said.count("brings mail again") == 2


async def test_a_crash_between_reading_and_saving_tells_nothing_twice(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await read(it, a_month(it))
        it.clock.pass_by(5 * HOUR)
        it.chat.after.append(asyncio.CancelledError())  # killed when the chat had said yes, before that was noted
        await read(it, Brought())
        with pytest.raises(asyncio.CancelledError):
            await it.deliver()
    async with outbox(tmp_path) as again:
        again.chat, again.clock = it.chat, it.clock
        assert await interrupted(again.store) == 1
        for _ in range(3):
            it.clock.pass_by(timedelta(minutes=5))
            await read(again, Brought())
            await again.deliver()
        await read(again, Brought(1))
        await again.deliver()
        assert again.chat.said.count("is unusually silent") == 1
        assert again.chat.said.count("brings mail again") == 1


async def test_with_no_channel_for_operators_the_trouble_is_known_and_nothing_is_said(
    tmp_path: Path,
) -> None:
    async with outbox(tmp_path) as it:
        for _ in range(2):
            await feed_read(it.store, it.clock, "kvm", Brought(), "gone", Policy(), it.figures)
            it.clock.pass_by(HOUR)
        async with it.store.transaction() as transaction:
            state = await transaction.feed_state("kvm")
        assert [note.trouble for note in state.notes] == [Trouble.FAILING]
        assert (await it.counts())["queued"] == 0


async def test_series_whose_parts_never_came_are_noted_on_their_feed(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        for number in range(1, 4):
            short = replace(series(1), key=f"s{number}", expected=2, thread=f"t{number}")
            patch = short.patches[0]
            message = replace(patch.message, id=f"{number}@example.org")
            short = replace(short, patches=(replace(patch, message=message),))
            async with it.store.transaction() as transaction:
                await transaction.save_series(short)
                await transaction.add_message(message, RawMail("kvm", str(number), b"x"), short.key)
            await series_settled(it.store, it.clock, Findings({}), OPERATORS, it.figures)
        async with it.store.transaction() as transaction:
            state = await transaction.feed_state("kvm")
        assert state.incomplete == 3
        await it.deliver()
        assert it.chat.said.count("Feed kvm brings series with parts missing") == 1


async def test_what_passes_is_counted_and_its_dates_are_kept(tmp_path: Path) -> None:
    mails = [
        b"From: a@example.org\nMessage-ID: <1@x>\nDate: Mon, 20 Apr 2026 11:40:00 +0200\nSubject: one\n\nx\n",
        b"From: a@example.org\nMessage-ID: <1@x>\nDate: who knows\nSubject: one\n\nx\n",
        b"From: a@example.org\nMessage-ID: <2@x>\n\nDate: Mon, 20 Apr 2026 11:40:00 +0200\n",
    ]
    box = tmp_path / "box.mbox"
    box.write_bytes(b"".join(b"From a Mon Apr 20 11:40:00 2026\n" + mail + b"\n" for mail in mails))
    async with outbox(tmp_path) as it:
        heard = Heard(Mbox(box, name="kvm"))
        await poll_due(heard, it.store, it.clock, HOUR, told=heard.told)
        assert heard.brought() == Brought(3, 1, 0, (datetime(2026, 4, 20, 9, 40, tzinfo=UTC),))


async def test_a_feed_that_fails_brought_what_came_before(tmp_path: Path) -> None:
    class Breaking:
        name = "kvm"

        async def since(self, position: str) -> AsyncIterator[RawMail | Unreadable]:  # noqa: ARG002
            yield RawMail("kvm", "1", b"From: a@example.org\nMessage-ID: <1@x>\nSubject: x\n\nx\n")
            raise FeedError("it broke")

        async def count(self, position: str) -> int | None:  # noqa: ARG002
            return None

    async with outbox(tmp_path) as it:
        heard = Heard(Breaking())
        with pytest.raises(FeedError):
            await poll_due(heard, it.store, it.clock, HOUR, told=heard.told)
        assert heard.brought() == Brought(1)


@pytest.mark.parametrize(
    "value", ["", "99999999999999999999", "Mon, 99 Apr 2026", "\0", "Mon, 20 Apr 99999 1:1:1 +9999"]
)
def test_a_date_that_makes_no_sense_is_none(value: str) -> None:
    assert sent_at(f"Date: {value}\n\nx".encode()) is None
