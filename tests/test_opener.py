"""Mail is opened in processes that may die or stall: what they had is opened by others, or set aside with why."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.model import RawMail, Unreadable
from bot.opener import Opener
from bot.workers import MOST_MEMORY
from handlers.mail_arrived import Letter

TEXT = "From: A <a@b.c>\nSubject: [PATCH] x\nMessage-ID: <{}@b>\n\nhi\n"
MAILS = tuple(RawMail("kvm", str(number), TEXT.format(number).encode()) for number in range(40))


def ids(opened: object) -> list[str]:
    assert isinstance(opened, list)
    return [one.message.id for one in opened if isinstance(one, Letter)]


async def test_mail_is_opened_in_order() -> None:
    with Opener(2) as opener:
        assert ids(await opener(MAILS)) == [f"{number}@b" for number in range(40)]


async def test_a_process_that_is_killed_loses_no_mail() -> None:
    with Opener(1) as opener:
        await opener(MAILS[:1])
        assert opener._pool is not None
        (process,) = opener._pool._processes.values()
        batches = [asyncio.ensure_future(opener(MAILS)) for _ in range(3)]
        await asyncio.sleep(0)
        process.kill()
        for batch in batches:
            assert len(ids(await batch)) == 40


async def test_a_mail_that_takes_too_long_is_set_aside_and_the_next_is_opened() -> None:
    with Opener(1, patience=0.0) as opener:
        (found,) = await opener(MAILS[3:4])
        assert isinstance(found, Unreadable)
        assert (found.source, found.position) == ("kvm 3", "3")
        assert "took longer than 0 seconds" in found.reason
        opener._patience = 60.0
        assert ids(await opener(MAILS[4:5])) == ["4@b"]


class Glutton(str):
    """A name whose reading takes more memory than a worker may have."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[bytearray], tuple[int]]:
        return bytearray, (2 * MOST_MEMORY,)


async def test_a_mail_that_fills_the_memory_is_set_aside_and_those_beside_it_are_opened() -> None:
    with Opener(1) as opener:
        *good, bad = await opener([*MAILS[:3], replace(MAILS[3], position=Glutton("3"))])
        assert isinstance(bad, Unreadable)
        assert bad.reason == "reading it ended its process, by a crash or for want of memory"
        assert ids(good) == ["0@b", "1@b", "2@b"]


@pytest.mark.parametrize("times", [1, 2])
async def test_it_may_be_closed_more_than_once(times: int) -> None:
    opener = Opener(1)
    await opener(MAILS[:1])
    for _ in range(times):
        opener.close()
