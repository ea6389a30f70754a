"""What every store promises, asked of each one that we have.  A new store is one more parameter of ``url``."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.model import (
    Address,
    Context,
    Delivery,
    DeliveryState,
    FeedState,
    Finding,
    Level,
    Message,
    Note,
    Page,
    Patch,
    Quiet,
    RawMail,
    Review,
    Series,
    SeriesState,
    Subject,
    SubjectKind,
    Text,
    Trouble,
    Unreadable,
)
from bot.ports import Store, StoreError
from bot.store import SqlStore
from tests.store.postgres import database, needs_postgres, postgres

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["file", "memory", pytest.param("postgres", marks=needs_postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        with database(request.getfixturevalue("server"), f"t{uuid.uuid4().hex}") as url:
            yield url
    else:
        yield {"file": f"sqlite:///{tmp_path}/state/gracewatch.db", "memory": "sqlite://"}[request.param]


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = SqlStore(url)
    await opened.upgrade()
    yield opened
    await opened.close()


def message(name: str, *parents: str, title: str = "KVM: x", change_id: str = "") -> Message:
    subject = Subject(f"[PATCH] {title}", SubjectKind.PATCH, title)
    return Message(
        name,
        subject,
        Address("Ann", "ann@example.org"),
        NOW,
        (),
        parents,
        f"body of {name} \udcff",
        change_id=change_id,
    )


def raw(name: str) -> RawMail:
    return RawMail("kvm", f"at {name}", f"Message-ID: <{name}>\r\n\r\n\x00\xff{name}".encode("latin-1"))


def series(key: str, *names: str, thread: str = "", title: str = "KVM: x", version: int = 1) -> Series:
    patches = tuple(Patch(message(name, title=title), ()) for name in names)
    ann = Address("Ann", "ann@example.org")
    return Series(key, thread or key, version, title, ann, len(names), SeriesState.OPEN, NOW + HOUR, patches=patches)


def finding(rule: str, text: str = "list_del() of x") -> Finding:
    return Finding(rule, Level.ERROR, 0.9, "a.c", "f", 7, text, "x", True, "m", (), f"print {rule}", Context.TREE)


def delivery(key: str, channel: str = "#kvm", *, card: bool = False, thread: str = "t") -> Delivery:
    return Delivery(key, "console", channel, thread, Page(f"page {key}", parts=(Text("x"),)), card)


# ------------------------------------------------------------------------------------------------ mail


async def test_a_mail_comes_back_byte_for_byte(store: Store) -> None:
    async with store.transaction() as work:
        await work.add_message(message("a"), raw("a"), "")
        assert await work.raw_mail("a") == raw("a")
    async with store.transaction() as work:
        assert await work.raw_mail("a") == raw("a")
        assert await work.raw_mail("b") is None
        assert await work.has_message("a")
        assert not await work.has_message("b")
        assert await work.known_messages(["b", "a", "c"]) == {"a"}


async def test_the_long_position_of_a_web_feed_is_not_kept_with_every_mail(store: Store) -> None:
    long = replace(raw("a"), position="a1:" + "x" * 3200)
    async with store.transaction() as work:
        await work.add_message(message("a"), long, "")
        await work.set_cursor("kvm", long.position)
        assert await work.raw_mail("a") == replace(long, position="")
    async with store.transaction() as work:
        assert await work.raw_mail("a") == replace(long, position="")
        assert await work.cursor("kvm") == long.position


async def test_a_known_id_changes_nothing(store: Store) -> None:
    async with store.transaction() as work:
        await work.save_series(series("s", "p"))
        await work.save_series(series("other", "q"))
        await work.add_message(message("a"), raw("a"), "s")
        await work.add_message(message("a"), raw("b"), "other")
    async with store.transaction() as work:
        await work.add_message(message("a"), raw("c"), "other")
        assert await work.raw_mail("a") == raw("a")
        assert [one.key for one in await work.series_of(["a"])] == ["s"]


async def test_ids_may_hold_anything(store: Store) -> None:
    odd = ["\udcff@x", "a\x00b", "\\0041", "A", "a' OR 1=1 --", "é", ""]
    async with store.transaction() as work:
        for name in odd:
            await work.add_message(message(name), RawMail("kvm", "1", name.encode("utf-8", "surrogateescape")), "")
    async with store.transaction() as work:
        assert await work.known_messages(odd) == set(odd)
        for name in odd:
            found = await work.raw_mail(name)
            assert found is not None
            assert found.data == name.encode("utf-8", "surrogateescape")


async def test_unreadable_input_is_kept_and_counted(store: Store) -> None:
    first, second = Unreadable("kvm 1", "no id \udcff", "none"), Unreadable("kvm 2", "huge")
    async with store.transaction() as work:
        await work.add_unreadable(first, "kvm")
        await work.add_unreadable(second, "kvm")
        await work.add_unreadable(first, "kvm")
    async with store.transaction() as work:
        await work.add_unreadable(first, "kvm")
        assert await work.unreadable(10) == ((second, 1), (first, 3))
        assert await work.unreadable(1) == ((second, 1),)


async def test_cursor_and_mail_are_saved_together_or_not_at_all(store: Store) -> None:
    async with store.transaction() as work:
        assert await work.cursor("kvm") == ""
        await work.set_cursor("kvm", "1")
    with contextlib.suppress(ZeroDivisionError):
        async with store.transaction() as work:
            await work.add_message(message("a"), raw("a"), "")
            await work.set_cursor("kvm", "2")
            assert await work.cursor("kvm") == "2"
            assert (await work.counts())["messages"] == 1
            raise ZeroDivisionError
    async with store.transaction() as work:
        assert await work.cursor("kvm") == "1"
        assert not await work.has_message("a")


# ------------------------------------------------------------------------------------------------ series


async def test_a_series_grows_across_transactions(store: Store) -> None:
    whole = replace(series("s", "p1", "p2", "p3"), cover=message("cover"), replies=(message("reply", "p1"),))
    async with store.transaction() as work:
        await work.save_series(replace(whole, patches=whole.patches[2:], cover=None, replies=()))
    async with store.transaction() as work:
        await work.save_series(replace(whole, patches=whole.patches[1:], replies=()))
        assert await work.series("s") == replace(whole, patches=whole.patches[1:], replies=())
        await work.save_series(whole)
    async with store.transaction() as work:
        assert await work.series("s") == whole
        assert await work.series("t") is None


async def test_a_part_can_be_replaced_and_taken_out(store: Store) -> None:
    before = series("s", "p1", "p2")
    changed = replace(before.patches[0], base_commit="0123456789ab")
    async with store.transaction() as work:
        await work.save_series(before)
    async with store.transaction() as work:
        await work.save_series(replace(before, patches=(changed,), state=SeriesState.SETTLED))
    async with store.transaction() as work:
        found = await work.series("s")
        assert found is not None
        assert found.patches == (changed,)
        assert found.state is SeriesState.SETTLED


async def test_a_series_is_found_by_each_of_its_mails(store: Store) -> None:
    whole = replace(series("s", "p1"), cover=message("cover"), replies=(message("reply"),))
    async with store.transaction() as work:
        await work.save_series(whole)
        await work.add_message(message("aside"), raw("aside"), "s")
        await work.save_series(series("t", "q1"))
    async with store.transaction() as work:
        for name in ("p1", "cover", "reply", "aside"):
            assert await work.series_of([name]) == (whole,)
        assert {one.key for one in await work.series_of(["nothing", "p1", "q1"])} == {"s", "t"}
        assert await work.series_of(["nothing"]) == ()


@pytest.mark.parametrize("foreseen", [False, True])
async def test_kin_are_the_same_work(store: Store, foreseen: bool) -> None:
    async with store.transaction() as work:
        await work.save_series(series("same-title", "a", title="KVM:  Fix X"))
        await work.save_series(replace(series("same-change", "b", title="1"), change_id="c1"))
        await work.save_series(series("same-thread", "c", title="2", thread="root"))
        await work.save_series(series("other", "d", title="3"))
        await work.save_series(replace(series("other-author", "e", title="kvm: fix x"), author=Address("Bo", "bo@x")))
    new = replace(series("new", "f", title="kvm: fix x", thread="root", version=2), change_id="c1")
    async with store.transaction() as work:
        if foreseen:
            await work.foresee([message("f", title="kvm: fix x", change_id="c1")])
        assert {one.key for one in await work.kin(new)} == {"same-title", "same-change", "same-thread"}
        await work.save_series(series("later", "g", title="4", thread="root"))
        assert "later" in {one.key for one in await work.kin(new)}
        await work.save_series(series("same-title", "a", title="renamed"))
        assert "same-title" not in {one.key for one in await work.kin(new)}


async def test_foreseeing_changes_no_answer(store: Store) -> None:
    async with store.transaction() as work:
        await work.save_series(series("s", "a"))
        await work.add_message(message("a"), raw("a"), "s")
    async with store.transaction() as work:
        await work.foresee([message("a"), message("b", "a"), message("b", "a")])
        assert await work.known_messages(["a", "b"]) == {"a"}
        assert await work.series_of(["b"]) == ()
        assert [one.key for one in await work.series_of(["b", "a"])] == ["s"]
        await work.add_message(message("b", "a"), raw("b"), "s")
        assert [one.key for one in await work.series_of(["b"])] == ["s"]


async def test_due_are_the_settled_and_those_whose_patience_is_over(store: Store) -> None:
    async with store.transaction() as work:
        await work.save_series(replace(series("settled", "a"), state=SeriesState.SETTLED))
        await work.save_series(series("open", "b"))
        await work.save_series(replace(series("reviewed", "c"), state=SeriesState.REVIEWED))
        await work.save_series(replace(series("late", "d"), settles_at=NOW))
        assert [one.key for one in await work.due_series(NOW, 10)] == ["settled", "late"]
        assert [one.key for one in await work.due_series(NOW, 1)] == ["settled"]
        assert [one.key for one in await work.due_series(NOW + HOUR, 10)] == ["settled", "open", "late"]


async def test_recent_series_are_found_by_words(store: Store) -> None:
    async with store.transaction() as work:
        await work.save_series(series("a", "1", title="KVM: Fix 100% of VFIO"))
        await work.save_series(series("b", "2", title="KVM: fix_it"))
        await work.save_series(series("c", "3", title="arm64: ÉTÉ"))
        await work.save_series(series("a", "1", "4", title="KVM: Fix 100% of VFIO"))
        for words, keys in (("", "cba"), ("kvm FIX", "ba"), ("ann vfio", "a"), ("%", "a"), ("x_i", "b"), ("été", "c")):
            assert "".join(one.key for one in await work.recent_series(9, words)) == keys, words
        assert [one.key for one in await work.recent_series(1)] == ["c"]


async def test_series_since_a_moment_are_those_whose_patience_ends_later(store: Store) -> None:
    async with store.transaction() as work:
        for key, end in (("late", NOW + HOUR), ("past", NOW - HOUR), ("now", NOW)):
            await work.save_series(replace(series(key, f"p-{key}"), settles_at=end))
        assert await work.series_since(NOW - HOUR) == ("late", "now")
        assert await work.series_since(NOW - 2 * HOUR) == ("late", "past", "now")


async def test_versions_of_a_thread_are_oldest_first(store: Store) -> None:
    async with store.transaction() as work:
        for version in (2, 10**30, 1):
            await work.save_series(series(f"v{version}", f"p{version}", thread="t", version=version))
        await work.save_series(series("elsewhere", "q"))
        assert [one.version for one in await work.versions("t")] == [1, 2, 10**30]


# ------------------------------------------------------------------------------------------------ feeds


async def test_how_a_feed_does_is_kept_as_it_is(store: Store) -> None:
    state = FeedState(
        "kvm \udcff",
        heard_at=NOW,
        oldest=NOW - HOUR,
        newest=NOW,
        lag=1.5,
        gaps=((7, 60), (8, 90)),
        mails=9,
        unreadable_at=(NOW,),
        failing_since=NOW,
        failure="no answer \0",
        notes=(Note(Trouble.FAILING, NOW),),
    )
    async with store.transaction() as work:
        assert await work.feed_state("kvm") == FeedState("kvm")
        await work.save_feed_state(FeedState(state.feed))
        await work.save_feed_state(state)
        await work.save_feed_state(FeedState("a"))
    async with store.transaction() as work:
        assert await work.feed_state(state.feed) == state
        assert await work.feed_states() == (FeedState("a"), state)


# ------------------------------------------------------------------------------------------------ reviews


async def test_a_review_takes_the_place_of_the_one_before(store: Store) -> None:
    first = Review(
        "s", (finding("one"), finding("two")), (Quiet("three", "held \udcff"),), Context.TREE, "linux", 5, ("n",)
    )
    second = Review("s", (finding("two", "other"),))
    async with store.transaction() as work:
        await work.save_series(series("s", "p"))
        await work.add_review(first)
    async with store.transaction() as work:
        assert await work.review("s") == first
        assert await work.findings_by_rule() == {"one": 1, "two": 1}
        await work.add_review(second)
    async with store.transaction() as work:
        assert await work.review("s") == second
        assert await work.review("t") is None
        assert await work.findings_by_rule() == {"two": 1}
        assert (await work.counts())["findings"] == 1


async def test_findings_of_a_thread_name_their_version(store: Store) -> None:
    async with store.transaction() as work:
        await work.save_series(series("b", "p2", thread="t", version=2))
        await work.add_review(Review("b", (finding("two"),)))
        await work.save_series(series("a", "p1", thread="t"))
        await work.add_review(Review("a", (finding("one"), finding("two"))))
        found = [(version, one.rule) for version, one in await work.findings("t")]
        assert found == [(1, "one"), (1, "two"), (2, "two")]


# ------------------------------------------------------------------------------------------------ outbox


async def test_a_delivery_is_queued_once_for_ever(store: Store) -> None:
    async with store.transaction() as work:
        assert await work.queue(delivery("k"))
        assert not await work.queue(delivery("k"))
    async with store.transaction() as work:
        await work.save_delivery(replace(delivery("k"), state=DeliveryState.SENT, remote_id="1"))
        assert not await work.queue(delivery("k"))
        assert await work.due_deliveries(NOW, 10) == ()


async def test_a_channel_keeps_its_order(store: Store) -> None:
    async with store.transaction() as work:
        for key, channel in (("card", "#a"), ("reply", "#a"), ("elsewhere", "#b"), ("more", "#b")):
            await work.queue(delivery(key, channel, card=key == "card"))
    async with store.transaction() as work:
        card, elsewhere = await work.due_deliveries(NOW, 10)
        assert (card, elsewhere) == (delivery("card", "#a", card=True), delivery("elsewhere", "#b"))
        assert await work.due_deliveries(NOW, 1) == (card,)
        await work.save_delivery(replace(card, state=DeliveryState.SENDING, attempts=1))
        assert [one.key for one in await work.due_deliveries(NOW, 10)] == ["elsewhere"]
        await work.save_delivery(replace(card, attempts=1, not_before=NOW + HOUR, error="429"))
        assert [one.key for one in await work.due_deliveries(NOW, 10)] == ["elsewhere"]
        assert [one.key for one in await work.due_deliveries(NOW + HOUR, 10)] == ["card", "elsewhere"]
        await work.save_delivery(replace(card, state=DeliveryState.GAVE_UP))
        assert [one.key for one in await work.due_deliveries(NOW, 10)] == ["reply", "elsewhere"]


async def test_what_a_crash_interrupted_is_told(store: Store) -> None:
    sending = replace(delivery("a"), state=DeliveryState.SENDING, attempts=2, not_before=NOW, error="timeout \udcff")
    async with store.transaction() as work:
        await work.queue(delivery("a"))
        await work.queue(delivery("b"))
        await work.save_delivery(sending)
    async with store.transaction() as work:
        assert await work.interrupted_deliveries() == (sending,)


async def test_the_state_of_an_unknown_delivery_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="never queued"):
        async with store.transaction() as work:
            await work.save_delivery(delivery("unknown"))


async def test_the_card_of_a_thread_is_its_newest_sent_one(store: Store) -> None:
    async with store.transaction() as work:
        for key in ("one", "two", "three"):
            await work.queue(delivery(key, card=True))
        await work.queue(delivery("reply"))
        assert await work.card("console", "#kvm", "t") is None
        for key in ("one", "two"):
            await work.save_delivery(replace(delivery(key, card=True), state=DeliveryState.SENT, remote_id=f"id {key}"))
        await work.save_delivery(replace(delivery("reply"), state=DeliveryState.SENT, remote_id="id reply"))
        card = await work.card("console", "#kvm", "t")
        assert card is not None
        assert (card.key, card.remote_id) == ("two", "id two")
        assert await work.card("console", "#other", "t") is None
        assert await work.thread_at("console", "#kvm", "id one") == "t"
        assert await work.thread_at("console", "#kvm", "id reply") == ""
        assert await work.thread_at("slack", "#kvm", "id one") == ""
        assert await work.thread_at("console", "#kvm", "") == ""


async def test_an_event_is_taken_once(store: Store) -> None:
    async with store.transaction() as work:
        assert not await work.seen_event("e1")
        assert await work.seen_event("e1")
    async with store.transaction() as work:
        assert await work.seen_event("e1")
        assert not await work.seen_event("e2")


async def test_counts_name_everything_even_when_nothing_is_there(store: Store) -> None:
    async with store.transaction() as work:
        assert set((await work.counts()).values()) == {0}
        await work.save_series(series("s", "p"))
        await work.queue(delivery("d"))
        counts = await work.counts()
    assert {name for name, count in counts.items() if count} == {"series", "open", "queued"}
    assert set(counts) == {
        *("messages", "unreadable", "series", "reviews", "findings"),
        *("open", "settled", "reviewed", "queued", "sending", "sent", "gave-up"),
    }  # fmt: skip


async def test_since_when_the_oldest_page_and_the_oldest_series_wait_is_known(store: Store) -> None:
    settled = replace(series("s", "p"), state=SeriesState.SETTLED)
    async with store.transaction() as work:
        assert await work.waiting() == {}
        before = await work.clock()
        await work.queue(delivery("first"))
        after = await work.clock()
        await work.queue(delivery("second"))
        await work.save_series(settled)
        waiting = await work.waiting()
        assert waiting.keys() == {"pages", "reviews"}
        assert before <= waiting["pages"] <= after
        assert waiting["reviews"] == settled.settles_at
        for key in ("first", "second"):
            await work.save_delivery(replace(delivery(key), state=DeliveryState.SENT))
        await work.save_series(replace(settled, state=SeriesState.REVIEWED))
        assert await work.waiting() == {}


async def test_a_transaction_inside_a_transaction_is_refused(store: Store) -> None:
    async with store.transaction():
        with pytest.raises(StoreError, match="inside a transaction"):
            async with store.transaction():
                pass


async def test_ping_knows_the_schema(store: Store) -> None:
    await store.ping()
    await store.upgrade()
    await store.ping()
