"""What every store promises of triage, of how channels want to be told, and of messages that are edited."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest

from bot.model import (
    Deed,
    DeliveryState,
    Habits,
    Mute,
    MuteKind,
    Page,
    Person,
    Review,
    Rhythm,
    Subscription,
    Triage,
    Verdict,
)
from bot.ports import Store
from tests.contracts.test_stores import HOUR, NOW, delivery, finding, series, server, store, url

__all__ = ["server", "store", "url"]
ADA, BO = Person("slack", "U1"), Person("console", "bo \udcff")
ACK = Triage("print one", "one", Verdict.ACK, ADA, NOW)


async def test_a_verdict_takes_the_place_of_the_one_before(store: Store) -> None:
    later = replace(ACK, verdict=Verdict.FALSE_POSITIVE, who=BO, at=NOW + HOUR, reason="held by 'kvm->lock' \udcff")
    async with store.transaction() as work:
        await work.set_verdict(ACK)
        await work.set_verdict(replace(ACK, fingerprint="print two"))
    async with store.transaction() as work:
        await work.set_verdict(later)
        assert await work.verdicts(["print one", "print none"]) == {"print one": later}
        assert await work.tallies() == {"one": {Verdict.ACK: 1, Verdict.FALSE_POSITIVE: 1}}
        assert await work.all_verdicts() == (replace(ACK, fingerprint="print two"), later)
        await work.drop_verdict("print one")
        assert await work.verdicts(["print one"]) == {}


async def test_a_verdict_on_several_places_at_once_counts_once(store: Store) -> None:
    async with store.transaction() as work:
        for name in ("one", "two", "three"):
            await work.set_verdict(replace(ACK, fingerprint=name))
        await work.set_verdict(replace(ACK, fingerprint="four", at=NOW + HOUR))
        await work.set_verdict(replace(ACK, fingerprint="five", rule="other"))
        assert await work.tallies() == {"one": {Verdict.ACK: 2}, "other": {Verdict.ACK: 1}}


async def test_a_mute_holds_until_its_time(store: Store) -> None:
    rule = Mute("slack", "#kvm", MuteKind.RULE, "plain-del", ADA, NOW)
    path = Mute("slack", "#arm", MuteKind.PATH, "arch/*/kvm/%_", BO, NOW, NOW + HOUR)
    async with store.transaction() as work:
        numbers = [await work.add_mute(mute) for mute in (rule, path)]
        assert numbers[0] != numbers[1]
    rule, path = (replace(mute, number=number) for mute, number in zip((rule, path), numbers, strict=True))
    async with store.transaction() as work:
        assert await work.mutes(NOW) == (rule, path)
        assert await work.mutes(NOW, "slack", "#arm") == (path,)
        assert await work.mutes(NOW + HOUR) == (rule,)
        await work.drop_mute(rule.number)
        assert await work.mutes(NOW) == (path,)


async def test_a_number_is_not_used_again(store: Store) -> None:
    mute = Mute("slack", "#kvm", MuteKind.RULE, "plain-del", ADA, NOW)
    wish = Subscription("slack", "#kvm", "list:kvm not author:bot", ADA, NOW)
    async with store.transaction() as work:
        first = await work.add_mute(mute), await work.add_subscription(wish)
        await work.drop_mute(first[0])
        await work.drop_subscription(first[1])
        assert (await work.add_mute(mute), await work.add_subscription(wish)) > first


async def test_subscriptions_come_back_as_they_were_typed(store: Store) -> None:
    one = Subscription("slack", "#kvm", "subject:'\udcff' \x00 not path:a\\b", ADA, NOW)
    async with store.transaction() as work:
        first = await work.add_subscription(one)
        await work.add_subscription(replace(one, channel="@U1"))
    async with store.transaction() as work:
        assert [found.channel for found in await work.subscriptions()] == ["#kvm", "@U1"]
        await work.drop_subscription(first)
        (left,) = await work.subscriptions()
        assert (left.words, left.who, left.at) == (one.words, ADA, NOW)


async def test_a_channel_keeps_its_habits(store: Store) -> None:
    habits = Habits(False, True, Rhythm.WEEKLY, time(7, 30), time(22), time(6), "Europe/Berlin", date(2026, 11, 23))
    async with store.transaction() as work:
        assert await work.habits("slack", "#kvm") is None
        await work.set_habits("slack", "#kvm", Habits())
        await work.set_habits("slack", "#kvm", habits)
    async with store.transaction() as work:
        assert await work.habits("slack", "#kvm") == habits
        assert await work.habits("console", "#kvm") is None


async def test_a_person_has_one_address(store: Store) -> None:
    async with store.transaction() as work:
        assert await work.address_of(ADA) == ""
        for address in ("ada@example.org", "ada@example.com"):
            await work.set_address(ADA, address)
        assert await work.address_of(ADA) == "ada@example.com"
        assert await work.address_of(BO) == ""


async def test_the_audit_table_only_grows(store: Store) -> None:
    deeds = [Deed(who, "#kvm", words, "done", NOW) for who, words in ((ADA, "ack 1%"), (BO, "mute \udcff"))]
    async with store.transaction() as work:
        for deed in deeds:
            await work.note_deed(deed)
    async with store.transaction() as work:
        assert await work.deeds(10) == (deeds[1], deeds[0])
        assert await work.deeds(1) == (deeds[1],)
        assert await work.deeds(10, "1%") == (deeds[0],)
        assert await work.deeds(10, "1_") == ()


async def test_a_stirred_thread_is_due_at_the_earliest_time_asked_for(store: Store) -> None:
    async with store.transaction() as work:
        for thread, due in (("a", NOW + HOUR), ("a", NOW), ("a", NOW + HOUR), ("b", NOW + HOUR)):
            await work.stir(thread, due)
    async with store.transaction() as work:
        assert await work.stirred(NOW, 10) == ("a",)
        assert await work.stirred(NOW + HOUR, 10) == ("a", "b")
        assert await work.stirred(NOW + HOUR, 1) == ("a",)
        assert await work.calm("a", NOW)
        assert not await work.calm("a", NOW)
        assert not await work.calm("b", NOW)
        assert await work.stirred(NOW + HOUR, 10) == ("b",)


async def test_findings_are_located_by_the_beginning_of_their_fingerprint(store: Store) -> None:
    async with store.transaction() as work:
        for version in (1, 2):
            await work.save_series(series(f"v{version}", f"p{version}", thread="t", version=version))
            await work.add_review(Review(f"v{version}", (finding("one", f"of v{version}"), finding("two"))))
        await work.save_series(series("quiet", "q"))
        await work.add_review(Review("quiet"))
        found = await work.located("print o")
        assert [(thread, one.text) for thread, one in found] == [("t", "of v2"), ("t", "of v1")]
        assert len(await work.located("print")) == 4
        assert await work.located("%") == ()
        assert await work.threads_with_findings(NOW, 10) == ("t",)
        assert await work.threads_with_findings(NOW + 2 * HOUR, 10) == ()


# ------------------------------------------------------------------------------------------------ edited messages

REPLY = replace(delivery("reply/a"), slot="reply/a", about=("f1", "f2"))


def edited(words: str) -> Page:
    return replace(REPLY.page, headline=words)


async def test_an_edit_that_waits_takes_the_newest_page_and_a_post_keeps_its_own(store: Store) -> None:
    async with store.transaction() as work:
        assert await work.show(REPLY)
        assert not await work.show(REPLY)
        for words in ("acknowledged", "fixed", "fixed and merged"):
            assert await work.show(replace(REPLY, page=edited(words)))
        assert await work.due_deliveries(NOW, 10) == (REPLY,)
        await work.save_delivery(replace(REPLY, state=DeliveryState.SENT, remote_id="1"))
        (edit,) = await work.due_deliveries(NOW, 10)
        assert (edit.key, edit.page) == ("reply/a#1", edited("fixed and merged"))


@pytest.mark.parametrize("state", [DeliveryState.SENDING, DeliveryState.SENT])
async def test_a_message_that_may_be_out_is_edited_by_a_delivery_of_its_own(store: Store, state: DeliveryState) -> None:
    async with store.transaction() as work:
        await work.show(REPLY)
        await work.save_delivery(replace(REPLY, state=state, remote_id="1"))
        assert await work.show(replace(REPLY, page=edited("acknowledged")))
        assert not await work.show(replace(REPLY, page=edited("acknowledged")))
        await work.save_delivery(replace(REPLY, state=DeliveryState.SENT, remote_id="1"))
        (edit,) = await work.due_deliveries(NOW, 10)
        assert edit.key == "reply/a#1"
        standing = await work.standing(edit)
        assert standing is not None
        assert (standing.key, standing.remote_id) == ("reply/a", "1")
        await work.save_delivery(replace(edit, state=DeliveryState.SENT, remote_id="1"))
        # What is undone shows the first page again.
        assert await work.show(REPLY)
        (back,) = await work.due_deliveries(NOW, 10)
        assert (back.key, back.page) == ("reply/a#2", REPLY.page)


async def test_a_message_that_may_have_arrived_is_not_changed_on_its_way(store: Store) -> None:
    async with store.transaction() as work:
        await work.show(REPLY)
        await work.save_delivery(replace(REPLY, attempts=1))
        assert await work.show(replace(REPLY, page=edited("acknowledged")))
        (first,) = await work.due_deliveries(NOW, 10)
        assert first.page == REPLY.page


async def test_what_was_told_is_known_by_place_and_thread(store: Store) -> None:
    card = replace(delivery("card", card=True), slot="card")
    async with store.transaction() as work:
        await work.show(card)
        await work.show(REPLY)
        await work.show(replace(REPLY, key="reply/b", slot="reply/b", about=("f3",), broadcast=True))
        await work.save_delivery(replace(REPLY, state=DeliveryState.SENT))
        await work.show(replace(REPLY, page=edited("x"), about=("f1",)))
        assert await work.told("console", "#kvm", "t") == {"reply/a": ("f1",), "reply/b": ("f3",)}
        assert await work.told("console", "#other", "t") == {}
        assert await work.followers("t") == (("console", "#kvm"),)
        assert await work.followers("u") == ()
        assert await work.standing(card) is None
        await work.save_delivery(replace(card, state=DeliveryState.SENT, remote_id="1"))
        standing = await work.standing(card)
        assert standing is not None
        assert standing.remote_id == "1"
