"""What channels see follows what happens: replies on the list, merges, mutes, subscriptions, quiet hours, digests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zlib import crc32

import pytest

from bot.mail.parse import parse
from bot.model import (
    Finding,
    Habits,
    Level,
    Message,
    Mute,
    MuteKind,
    Person,
    RawMail,
    Rhythm,
    Series,
    Subscription,
    Triage,
    Verdict,
)
from handlers.digest_due import digest_due
from handlers.mail_arrived import mail_arrived, opened
from handlers.policy import Place, Policy
from handlers.thread_stirred import thread_stirred
from tests.handlers.outbox import CHANNEL, THREAD, Outbox, outbox
from tests.handlers.test_series_settled import Findings, save, settle
from tests.report.making import ERROR_PATH, OTHER, RELEASE, series

ALL = Policy((Place("console", CHANNEL),))
PLACE = ("console", CHANNEL)
ADA = Person("console", "ada")
PATIENCE = timedelta(hours=1)


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Outbox]:
    async with outbox(tmp_path) as made:
        yield made


async def come(it: Outbox, version: int = 1, *findings: Finding, one: Series | None = None) -> None:
    """A version arrives, is reviewed and told."""
    one = one or series(version)
    await save(it, one)
    async with it.store.transaction() as work:
        for patch in one.patches:
            await work.add_message(patch.message, RawMail("kvm", "1", b""), one.key)
    await settle(it, Findings({one.key: findings}))
    await it.deliver()


async def arrive(it: Outbox, text: str) -> None:
    """A mail comes in, and what it stirs is told."""
    letter = opened(RawMail("kvm", "1", text.encode()))
    async with it.store.transaction() as work:
        await mail_arrived(work, letter, "kvm", it.clock.now(), PATIENCE)
    await stirred(it)


async def stirred(it: Outbox) -> int:
    seen = await thread_stirred(it.store, it.clock, ALL)
    await it.deliver()
    return seen


async def habits(it: Outbox, kept: Habits) -> None:
    async with it.store.transaction() as work:
        await work.set_habits(*PLACE, kept)


def mail(
    body: str, *, sender: str = "Sean Reviewer <sean@example.com>", parent: str = "v1-1@example.org", **more: str
) -> str:
    headers = {
        "Message-ID": f"<{crc32(body.encode())}@example.com>",
        "Date": "Wed, 04 Mar 2026 13:00:00 +0000",
        "From": sender,
        "To": "kvm@vger.kernel.org",
        "Subject": more.get("subject", "Re: [PATCH] KVM: walk devices"),
        "In-Reply-To": f"<{parent}>",
    }
    return "".join(f"{name}: {value}\n" for name, value in headers.items()) + f"\n{body}"


# ------------------------------------------------------------------------------------------------ the list


async def test_a_tag_on_the_list_comes_to_the_card(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    await arrive(it, mail("Reviewed-by: Sean Reviewer <sean@example.com>\n"))
    async with it.store.transaction() as work:
        card = await work.card(*PLACE, THREAD)
    assert card is not None
    assert "Reviewed-by Sean Reviewer" in str(card.page)


async def test_a_reply_without_news_changes_nothing(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    before = await it.counts()
    await arrive(it, mail("Nice.\n"))
    assert await it.counts() == {**before, "messages": before["messages"] + 1}


async def test_a_reviewer_who_says_the_same_is_shown_and_counted(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    await arrive(it, mail("There is no grace period in kvm_device_release().\n"))
    assert "~ Raised on the list by Sean Reviewer" in it.chat.said
    async with it.store.transaction() as work:
        assert await work.tallies() == {RELEASE.rule: {Verdict.RAISED: 1}}


async def test_a_maintainers_applied_marks_what_is_open(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    await arrive(it, mail("Applied to next, thanks!\n", sender="Marc <marc@example.com>"))
    assert 'merged with 1 open (kvm.devices): Marc, "Applied to next, thanks!"' in it.chat.said


TIP = """\
The following commit has been merged into the x86/urgent branch of tip:

Commit-ID:     0123456789abcdef
Signed-off-by: Ada Writer <ada@example.org>
---
 virt/kvm/kvm_main.c | 2 +-

diff --git a/virt/kvm/kvm_main.c b/virt/kvm/kvm_main.c
index 1111111..2222222 100644
--- a/virt/kvm/kvm_main.c
+++ b/virt/kvm/kvm_main.c
@@ -1,2 +1,2 @@
 a
-b
+c
"""


async def test_what_tip_bot_tells_is_an_answer_and_no_new_series(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    await arrive(
        it, mail(TIP, sender="tip-bot2 for Ada <tip-bot2@linutronix.de>", subject="[tip: x86/urgent] KVM: walk devices")
    )
    assert "merged into x86/urgent of tip" in it.chat.said
    assert (await it.counts())["series"] == 1


PULL = """\
The following changes since commit 0123456789ab:

are available in the Git repository at:

  https://git.example.org/kvm tags/for-linus

Ada Writer (1):
      KVM: walk devices

 virt/kvm/kvm_main.c | 2 +-
"""
TRACKED = """\
The pull request you sent on Wed, 4 Mar 2026:

> https://git.example.org/kvm tags/for-linus

has been merged into torvalds/linux.git:
https://git.example.org/torvalds/c/0123456789ab

Thank you!
"""


async def test_what_pr_tracker_bot_tells_reaches_the_series_in_the_pull_request(it: Outbox) -> None:
    lately = it.clock.now() - timedelta(days=20)
    await come(it, 1, RELEASE, one=replace(series(1), settles_at=lately))
    other = replace(series(1, title="KVM: another"), key="other", thread="thread-2", settles_at=lately)
    message = replace(other.patches[0].message, id="other@example.org")
    message = replace(message, subject=replace(message.subject, title="KVM: another"))
    await come(it, 1, OTHER, one=replace(other, patches=(replace(other.patches[0], message=message),)))
    pull = mail(PULL, parent="nothing@example.org", subject="[GIT PULL] KVM fixes")
    await arrive(it, pull)
    parsed = parse(RawMail("kvm", "1", pull.encode()))
    assert isinstance(parsed, Message)
    tracked = mail(TRACKED, sender="pr-tracker-bot@kernel.org", parent=parsed.id, subject="Re: [GIT PULL] KVM fixes")
    await arrive(it, tracked)
    assert it.chat.said.count("merged with 1 open (kvm.devices)") == 1
    assert "(kvm.buses): pr-tracker" not in it.chat.said


async def test_one_thread_that_cannot_be_told_holds_up_no_other(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    async with it.store.transaction() as work:
        await work.stir("no such thread", it.clock.now())
        await work.stir(THREAD, it.clock.now())
    assert await stirred(it) == 2
    assert await stirred(it) == 0


# ------------------------------------------------------------------------------------------------ channels


async def test_quiet_hours_hold_back_what_is_new_and_bring_it_at_their_end(it: Outbox) -> None:
    now = it.clock.now()
    end = (now + timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    await habits(it, Habits(quiet_from=(now - timedelta(hours=1)).time().replace(microsecond=0), quiet_to=end.time()))
    await come(it, 1, RELEASE)
    await come(it, 2, RELEASE, ERROR_PATH)
    assert it.chat.said == ""
    it.clock.leap()
    async with it.store.transaction() as work:
        assert await work.stirred(end - timedelta(minutes=1), 10) == ()
        assert await work.stirred(end, 10) == (THREAD,)
    await habits(it, Habits())
    assert await stirred(it) == 1
    assert it.chat.said.count("KVM: walk devices") == 1
    assert "v2: 0 fixed, 1 still open, 1 new" in it.chat.said


async def test_in_quiet_hours_what_stands_is_edited_all_the_same(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    now = it.clock.now()
    quiet = Habits(quiet_from=(now - timedelta(hours=1)).time(), quiet_to=(now + timedelta(hours=1)).time())
    await habits(it, quiet)
    await come(it, 2, OTHER)
    assert "~ Fixed in v2" in it.chat.said
    assert "kfree() of kvm.buses" not in it.chat.said


@pytest.mark.parametrize(("thread_only", "seen"), [(True, False), (False, True)])
async def test_a_channel_may_want_to_see_warnings_outside_of_threads(it: Outbox, thread_only: bool, seen: bool) -> None:
    await habits(it, Habits(thread_only=thread_only))
    await save(it, series(1))
    await settle(it, Findings({"v1": (RELEASE,)}))
    async with it.store.transaction() as work:
        (card,) = await work.due_deliveries(it.clock.now(), 9)
    await it.deliver()
    async with it.store.transaction() as work:
        slot = replace(card, slot=f"reply/{RELEASE.fingerprint}", card=False)
        standing = await work.standing(slot)
    assert standing is not None
    assert (card.broadcast, standing.broadcast) == (False, seen)


async def test_a_subscription_decides_what_a_channel_hears_of(it: Outbox) -> None:
    async with it.store.transaction() as work:
        await work.add_subscription(Subscription(*PLACE, "arch:s390", ADA, it.clock.now()))
        await work.add_subscription(Subscription("console", "@ada", "author:ada", ADA, it.clock.now()))
        await work.add_subscription(Subscription("console", "@bo", "author:ada level:error", ADA, it.clock.now()))
        await work.add_subscription(Subscription("console", "#broken", "no-such-field:x", ADA, it.clock.now()))
    await come(it, 1, replace(RELEASE, level=Level.WARNING))
    assert it.chat.said.count("── @ada ") == 1
    assert "── #" not in it.chat.said
    assert "── @bo" not in it.chat.said


async def test_a_muted_series_says_nothing_new(it: Outbox) -> None:
    await come(it, 1, RELEASE)
    async with it.store.transaction() as work:
        await work.add_mute(Mute(*PLACE, MuteKind.SERIES, THREAD, ADA, it.clock.now()))
    await come(it, 2, RELEASE, OTHER)
    assert "kfree() of kvm.buses" not in it.chat.said
    assert "~ Still open in v2" in it.chat.said


async def test_every_series_has_a_card_where_a_channel_wants_it(it: Outbox) -> None:
    await habits(it, Habits(every_series=True))
    await come(it, 1)
    assert "v1: 0 new" in it.chat.said


# ------------------------------------------------------------------------------------------------ digests


class Fixed:
    """A clock of the tests that stands."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def every(self, *_: object) -> None:
        raise NotImplementedError

    async def drain(self) -> None:
        """Nothing runs."""


async def test_a_digest_comes_once_and_holds_what_its_days_brought(it: Outbox) -> None:
    monday = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)
    await habits(it, Habits(digest=Rhythm.WEEKLY, digest_at=time(9), zone="Europe/Berlin"))
    before = replace(series(1), key="before", thread="thread-0", settles_at=datetime(2026, 3, 1, tzinfo=UTC))
    await come(it, 1, replace(RELEASE, fingerprint="d" * 16), one=before)
    await come(it, 1, RELEASE, replace(OTHER, rule="often-wrong"))
    async with it.store.transaction() as work:
        for number in range(10):
            verdict = Verdict.FALSE_POSITIVE if number % 2 else Verdict.ACK
            await work.set_verdict(_verdict(f"{number}", verdict))
    assert await digest_due(it.store, Fixed(monday), ALL) == 1
    assert await digest_due(it.store, Fixed(monday + timedelta(hours=1)), ALL) == 0
    await it.deliver()
    said = it.chat.said.partition("gracewatch digest, 2026-03-09")[2]
    assert "1 series reviewed, 1 finding." in said
    assert "aaaaaaaa  list_del() on kvm.devices" in said
    assert "Told here alone: the rule is often wrong" in said
    assert "often-wrong  50% useful of 10" in said
    assert "dddddddd" not in said


def _verdict(fingerprint: str, verdict: Verdict) -> Triage:
    return Triage(fingerprint, "often-wrong", verdict, ADA, datetime(2026, 3, 1, int(fingerprint), tzinfo=UTC))


async def test_a_digest_that_was_queued_before_a_crash_is_not_queued_again(it: Outbox) -> None:
    monday = datetime(2026, 3, 9, 10, tzinfo=UTC)
    await habits(it, Habits(digest=Rhythm.DAILY))
    assert await digest_due(it.store, Fixed(monday), ALL) == 1
    await habits(it, Habits(digest=Rhythm.DAILY))
    assert await digest_due(it.store, Fixed(monday), ALL) == 0
