"""The outbox: every page arrives once, in order, whatever the chat and the machine do meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.model import Delivery, DeliveryState, Page
from bot.ports import Cause, ChatError
from handlers.delivery_due import delivery_due, interrupted
from tests.handlers.outbox import CHANNEL, THREAD, Outbox, card, outbox, reply


async def test_a_card_leaves_before_its_replies_and_all_is_noted(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(), reply("reply 1"), reply("reply 2"))
        assert await it.deliver() == 3
        assert (await it.counts())["sent"] == 3
        assert it.figure("deliveries", chat="console", state="sent") == 3
        assert [it.chat.said.index(words) for words in ("v1: 1 new", "reply 1", "reply 2")] == sorted(
            it.chat.said.index(words) for words in ("v1: 1 new", "reply 1", "reply 2")
        )
        assert await it.deliver() == 0


async def test_a_second_card_of_a_thread_edits_the_first(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await it.deliver()
        await it.queue(card("v2: 1 fixed", "card v2"))
        await it.deliver()
        assert "~ v2: 1 fixed" in it.chat.said
        assert it.chat.said.count(f"── {CHANNEL}") == 2  # the card, and what became of it


async def test_a_crash_between_the_post_and_its_note_is_looked_up_and_not_repeated(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        it.chat.after.append(asyncio.CancelledError())  # the machine stops here
        with pytest.raises(asyncio.CancelledError):
            await it.deliver()
        assert (await it.counts())["sending"] == 1
        assert await interrupted(it.store) == 1
        assert await it.deliver() == 1
        assert it.chat.looked_up == ["card v1"]
        assert it.chat.said.count("v1: 1 new") == 1


async def test_a_page_whose_fate_could_not_be_saved_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.store.join("alive")
        await it.queue(card())
        async with it.store.transaction() as transaction:
            await transaction.save_delivery(replace(card(), state=DeliveryState.SENDING))
        assert await interrupted(it.store) == 0  # a living replica sends it, for all that is known
        assert await it.deliver() == 0
        assert await interrupted(it.store) == 1
        assert await it.deliver() == 1
        assert it.chat.looked_up == ["card v1"]


async def test_a_crash_before_the_post_repeats_it(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        it.chat.before.append(asyncio.CancelledError())
        with pytest.raises(asyncio.CancelledError):
            await it.deliver()
        assert await interrupted(it.store) == 1
        assert await it.deliver() == 1
        assert it.chat.said.count("v1: 1 new") == 1


async def test_a_page_whose_answer_was_lost_is_looked_up_before_it_is_tried_again(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        it.chat.after.append(ChatError("the connection was cut"))
        assert await it.deliver() == 0
        assert [one.error for one in await it.unfinished()] == ["the connection was cut"]
        assert await it.deliver() == 1
        assert it.chat.said.count("v1: 1 new") == 1


async def test_a_chat_that_asks_to_wait_is_left_alone_for_so_long(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(), reply())
        it.chat.before.append(ChatError("too many", retry_after=timedelta(hours=7)))
        now = it.clock.now()
        assert await it.deliver() == 0
        assert await it.deliver() == 0
        assert it.chat.said == ""
        assert it.figure("rate_limited", chat="console") == 1
        (waiting,) = await it.unfinished()
        assert waiting.not_before is not None
        assert timedelta(hours=7) <= waiting.not_before - now < timedelta(hours=8)
        assert await it.deliver() == 2


async def test_each_failure_makes_the_pause_longer_to_an_end(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        pauses = []
        for _ in range(15):
            it.chat.before.append(ChatError("down"))
            now = it.clock.now()
            await it.deliver()
            (waiting,) = await it.unfinished()
            assert waiting.not_before is not None
            pauses.append((waiting.not_before - now).total_seconds())
        assert 1 <= pauses[0] <= 2.5
        assert all(before < after for before, after in zip(pauses, pauses[2:8], strict=False))
        assert 300 <= pauses[-1] <= 601
        assert await it.deliver() == 1


async def test_a_refusal_is_final_and_takes_no_other_thread_with_it(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(), reply(), replace(card(key="card of another"), thread="thread-2"))
        it.chat.before.append(ChatError("no such channel", final=True))
        assert await it.deliver() == 1
        counts = await it.counts()
        assert (counts["gave-up"], counts["sent"], counts["queued"]) == (2, 1, 0)
        assert "reply 1" not in it.chat.said  # it has no card to stand below


async def test_a_channel_that_fails_holds_up_no_other(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(), card(key="card elsewhere", channel="#arm"))
        it.chat.before.append(ChatError("down"))
        assert await it.deliver() == 1
        assert (await it.counts())["queued"] == 1


async def test_a_fault_of_ours_is_kept_with_the_page_and_ends_some_day(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(), replace(card(key="card of another"), thread="thread-2"))
        for _ in range(30):
            it.chat.before.append(TypeError("not a page"))
        errors = []
        for _ in range(20):
            await it.deliver()
            errors += [one.error for one in await it.unfinished()]
        assert errors[0] == "TypeError: not a page"
        assert (await it.counts())["gave-up"] == 1
        it.chat.before.clear()
        assert await it.deliver() == 1


async def test_a_chat_that_was_taken_out_of_the_settings_is_given_up(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(chat="slack"))
        assert await it.deliver() == 0
        assert (await it.counts())["gave-up"] == 1


async def test_a_stopping_service_sends_nothing_more(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        sent = await delivery_due(it.store, it.clock, {"console": it.chat}, it.figures, going_on=lambda: False)
        assert sent == 0
        assert (await it.counts())[DeliveryState.QUEUED.value] == 1


async def test_the_same_page_is_never_queued_twice(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await it.deliver()
        async with it.store.transaction() as transaction:
            assert not await transaction.queue(card())
        assert await it.deliver() == 0


@pytest.mark.parametrize("cause", [Cause.ACCESS, Cause.CHANNEL, Cause.TROUBLE])
async def test_what_an_operator_mends_after_a_day_loses_nothing_and_keeps_its_order(
    tmp_path: Path, cause: Cause
) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card(), reply("reply 1"), reply("reply 2"))
        for _ in range(30):
            it.chat.before.append(ChatError("check the token", cause=cause))
        for _ in range(30):
            assert await it.deliver() == 0
            it.clock.leap()
        assert it.figure("refused", chat="console", why=cause.value) == 30
        assert await it.deliver() == 3
        assert (await it.counts())["gave-up"] == 0
        places = [it.chat.said.index(words) for words in ("v1: 1 new", "reply 1", "reply 2")]
        assert places == sorted(places)


async def test_what_nobody_mends_in_a_week_is_given_up(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(replace(card(), attempts=999))
        it.chat.before.append(ChatError("unarchive the channel", cause=Cause.CHANNEL))
        await it.deliver()
        assert (await it.counts())["gave-up"] == 1


async def test_a_card_that_was_deleted_stands_anew_with_the_news(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await it.deliver()
        await it.queue(card("v2: 1 fixed", "card v2"))
        it.chat.deleted.append(CHANNEL)
        assert await it.deliver() == 1
        assert it.chat.said.count(f"── {CHANNEL}") == 2
        assert "v2: 1 fixed" in it.chat.said


async def test_a_reply_to_a_deleted_card_brings_the_card_back_once(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await it.deliver()
        it.chat.forget()
        it.chat.before.append(ChatError("the card was deleted", cause=Cause.GONE))
        await it.queue(reply("reply 1"), reply("reply 2"))
        assert await it.deliver() == 2
        assert it.chat.said.count("v1: 1 new") == 2
        assert it.chat.said.index("reply 1") > it.chat.said.rindex("v1: 1 new")


async def test_a_channel_is_spoken_in_steadily_and_holds_up_no_other(tmp_path: Path) -> None:
    """40 series come in a minute: 40 cards and 40 replies, and one card for another channel behind them."""
    async with outbox(tmp_path) as it:
        it.chat.pace = timedelta(seconds=1)
        for number in range(40):
            thread = f"thread-{number}"
            await it.queue(
                replace(card(key=f"card {number}"), thread=thread), replace(reply(f"reply {number}"), thread=thread)
            )
        await it.queue(card(key="elsewhere", channel="#arm"))
        sent = [await it.deliver()]
        for _ in range(100):
            it.clock.pass_by(timedelta(seconds=1))
            sent.append(await it.deliver())
        assert sum(sent) == 81
        assert sent[0] == 4  # a short burst, and the other channel
        assert set(sent[1:78]) == {1}
        assert sent[78:] == [0] * 23


async def test_a_chat_that_is_down_for_an_hour_gets_it_all_in_order_and_once(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        it.chat.pace = timedelta(seconds=1)
        for number in range(10):
            await it.queue(replace(card(f"news {number}.", f"card {number}"), thread=f"thread-{number}"))
        tries = 0
        for _ in range(360):
            before = len(it.chat.before)
            it.chat.before.append(ChatError("down"))
            await it.deliver()
            tries += len(it.chat.before) == before
            del it.chat.before[before:]
            it.clock.pass_by(timedelta(seconds=10))
        assert it.chat.said == ""
        assert tries < 30  # no hammering
        for _ in range(70):
            await it.deliver()
            it.clock.pass_by(timedelta(seconds=10))
        assert [it.chat.said.count(f"news {number}.") for number in range(10)] == [1] * 10
        places = [it.chat.said.index(f"news {number}.") for number in range(10)]
        assert places == sorted(places)


# ------------------------------------------------------------------------------------------------ replies that change


def told(words: str = "list_del() of x") -> Delivery:
    return Delivery("reply/a", "console", CHANNEL, THREAD, Page(words), slot="reply/a", about=("a",))


async def show(it: Outbox, delivery: Delivery) -> None:
    async with it.store.transaction() as work:
        assert await work.show(delivery)


async def test_a_reply_that_changes_is_edited_where_it_stands(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await show(it, told())
        await it.deliver()
        await show(it, told("acknowledged"))
        assert await it.deliver() == 1
        assert it.chat.said.count("  │ list_del() of x") == 1
        assert it.chat.said.count("~ acknowledged") == 1


async def test_a_reply_that_changes_before_it_left_is_posted_as_it_was_and_edited_once(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        for words in ("list_del() of x", "acknowledged", "fixed"):
            await show(it, told(words))
        assert await it.deliver() == 3
        assert "  │ list_del() of x" in it.chat.said
        assert "~ fixed" in it.chat.said
        assert "acknowledged" not in it.chat.said


async def test_an_edit_that_fails_is_tried_again_and_one_that_was_interrupted_does_no_harm(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await show(it, told())
        await it.deliver()
        await show(it, told("acknowledged"))
        it.chat.before_edit.append(ChatError("down"))
        assert await it.deliver() == 0
        assert len(await it.unfinished()) == 1
        it.chat.after_edit.append(asyncio.CancelledError())  # the machine stops between the edit and its note
        with pytest.raises(asyncio.CancelledError):
            await it.deliver()
        assert await interrupted(it.store) == 1
        assert await it.deliver() == 1
        assert it.chat.said.count("  │ list_del() of x") == 1
        assert "  │ acknowledged" not in it.chat.said


async def test_a_change_while_the_first_is_on_its_way_is_an_edit(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await it.deliver()
        await show(it, told())
        it.chat.after.append(ChatError("the connection was cut"))  # it arrived, and we do not know
        await it.deliver()
        await show(it, told("acknowledged"))
        it.clock.leap()
        assert await it.deliver() == 2
        assert it.chat.said.count("list_del() of x") == 1
        assert it.chat.said.count("~ acknowledged") == 1


async def test_a_reply_that_somebody_deleted_stays_deleted(tmp_path: Path) -> None:
    async with outbox(tmp_path) as it:
        await it.queue(card())
        await show(it, told())
        await it.deliver()
        await show(it, told("acknowledged"))
        it.chat.before_edit.append(ChatError("message_not_found", cause=Cause.GONE))
        assert await it.deliver() == 0
        assert (await it.counts())["gave-up"] == 1
        assert "acknowledged" not in it.chat.said
