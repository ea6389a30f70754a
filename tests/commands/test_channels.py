"""What a channel is told, its maintainers decide; what a person hears, the person; and each word can be taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import time
from pathlib import Path

import pytest

from bot.model import Ask, Habits, Mute, MuteKind, Rhythm
from handlers.asked import asked
from tests.commands.world import BOSS, CARD, CHANNEL, DEPUTY, NOW, Bot, bot


@pytest.fixture
async def gracewatch(tmp_path: Path) -> AsyncIterator[Bot]:
    async with bot(tmp_path) as it:
        yield it


async def undone(gracewatch: Bot, words: str, who: str = BOSS) -> str:
    """Say something and press its first button."""
    reply = await gracewatch.hear(words, who=who, place=CARD)
    assert reply is not None
    return await gracewatch.say(reply.page.actions[0].words, who=who, place=CARD)


async def mutes(gracewatch: Bot) -> tuple[Mute, ...]:
    async with gracewatch.store.transaction() as work:
        return await work.mutes(NOW)


async def habits(gracewatch: Bot, channel: str = CHANNEL) -> Habits | None:
    async with gracewatch.store.transaction() as work:
        return await work.habits("slack", channel)


STRONG = [
    "mute rule plain-del-on-rculist", "subscribe list:kvm", "thread-only off", "every-series on", "digest daily",
    "quiet-hours 22-6",
]  # fmt: skip


@pytest.mark.parametrize("words", STRONG)
async def test_a_denied_action_says_who_could_and_is_on_record(gracewatch: Bot, words: str) -> None:
    text = await gracewatch.say(words, place=CARD)
    assert text == "Only maintainers of #kvm may do that: @U9, the members of S1."
    async with gracewatch.store.transaction() as work:
        (deed,) = await work.deeds(5)
    assert (deed.who.id, deed.words, deed.outcome) == ("U1", words, "denied")


@pytest.mark.parametrize("words", STRONG)
@pytest.mark.parametrize("who", [BOSS, DEPUTY])
async def test_those_who_are_named_and_members_of_named_groups_may(gracewatch: Bot, words: str, who: str) -> None:
    assert "Only maintainers" not in await gracewatch.say(words, who=who)


async def test_where_nobody_is_named_the_cure_is_said(gracewatch: Bot) -> None:
    assert "an operator names them in the settings" in await gracewatch.say(
        "thread-only off", channel="#other", who=BOSS
    )


@pytest.mark.parametrize(
    "words", ["ack aaaaaaaa", "fp aaaaaaaa", "wontfix aaaaaaaa", "open", "show", "rules", "whoami"]
)
async def test_everyone_reads_and_judges(gracewatch: Bot, words: str) -> None:
    assert "Only maintainers" not in await gracewatch.say(words, place=CARD)


async def test_in_private_everyone_decides_for_themselves(gracewatch: Bot) -> None:
    for channel in ("@U1", ""):
        assert "@U1 hears of list:kvm" in await gracewatch.say("subscribe list:kvm", channel=channel)
    assert "@U1 hears of arch:x86" in await gracewatch.say("subscribe me arch:x86")
    assert "1: you list:kvm 2: you arch:x86" in await gracewatch.say("subscriptions")


async def test_a_chat_that_talks_with_nobody_alone_says_so(gracewatch: Bot) -> None:
    reply = await asked(Ask("matrix", "#kvm", "@ada:example.org", "subscribe me list:kvm"), gracewatch.doors)
    assert reply is not None
    assert "subscribe a channel instead" in reply.page.headline


# ------------------------------------------------------------------------------------------------ mutes


@pytest.mark.parametrize(
    ("words", "kind", "pattern"),
    [
        ("mute rule Plain_Del on rculist", MuteKind.RULE, "plain-del-on-rculist"),
        ("mute plain-del-on-rculist", MuteKind.RULE, "plain-del-on-rculist"),
        ("mute path arch/s390/*", MuteKind.PATH, "arch/s390/*"),
        ("silence virt/kvm/kvm_main.c", MuteKind.PATH, "virt/kvm/kvm_main.c"),
        ("mute author Ada Writer", MuteKind.AUTHOR, "Ada Writer"),
        ("mute ada@example.org", MuteKind.AUTHOR, "ada@example.org"),
        ("mute series", MuteKind.SERIES, "thread-1"),
        ("mute", MuteKind.SERIES, "thread-1"),
        ("mute series v1-1@example.org", MuteKind.SERIES, "thread-1"),
        ("mute aaaaaaaa rule", MuteKind.RULE, "plain-del-on-rculist"),
        ("mute aaaaaaaa path", MuteKind.PATH, "virt/kvm/kvm_main.c"),
        ("mute aaaaaaaa author", MuteKind.AUTHOR, "ada@example.org"),
        ("mute aaaaaaaa", MuteKind.SERIES, "thread-1"),
    ],
)
async def test_what_is_muted(gracewatch: Bot, words: str, kind: MuteKind, pattern: str) -> None:
    assert f"Muted {kind}" in await gracewatch.say(words, who=BOSS, place=CARD)
    (mute,) = await mutes(gracewatch)
    assert (mute.kind, mute.pattern, mute.channel, mute.until) == (kind, pattern, CHANNEL, None)


async def test_a_mute_ends_by_itself_or_with_a_click(gracewatch: Bot) -> None:
    assert "until 2026-03-11 15:00 UTC" in await gracewatch.say("mute path virt/* for 7d", who=BOSS)
    assert "nothing changes" in await gracewatch.say("mute path virt/* for 1d", who=BOSS)
    (mute,) = await mutes(gracewatch)
    assert mute.until is not None
    assert "Unmuted" in await gracewatch.say(f"unmute {mute.number}", who=BOSS)
    assert await mutes(gracewatch) == ()
    assert "Unmuted path virt/*" in await undone(gracewatch, "mute path virt/*")


async def test_a_mute_of_somebody_else_is_the_maintainers_to_end(gracewatch: Bot) -> None:
    await gracewatch.say("mute path virt/*", who=BOSS)
    assert "Only maintainers" in await gracewatch.say("unmute virt/*")
    assert "Unmuted" in await gracewatch.say("unmute virt/*", who=DEPUTY)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("mute rule plain-dle-on-rculist", "the nearest is plain-del-on-rculist."),
        ("mute nonsense", "Mute what?"),
        ("mute deadbeef", "There is no finding called deadbeef."),
        ("mute series nobody@example.org", "Which series?"),
        ("unmute 77", "Unmute what? Muted here: nothing."),
    ],
)
async def test_what_cannot_be_muted_is_told_the_cure(gracewatch: Bot, words: str, cure: str) -> None:
    assert cure in await gracewatch.say(words, who=BOSS, place=CARD)


# ------------------------------------------------------------------------------------------------ subscriptions


async def test_a_subscription_is_listed_previewed_and_ended(gracewatch: Bot) -> None:
    assert "everything, as the settings say" in await gracewatch.say("subscriptions")
    text = await gracewatch.say("subscribe list:kvm -author:bot", who=BOSS)
    assert "#kvm hears of list:kvm not author:bot" in text
    assert "Until now it heard of everything" in text
    assert "hears of list:kvm not author:bot already" in await gracewatch.say(
        "follow list:kvm not author:bot", who=BOSS
    )
    assert "1: #kvm list:kvm not author:bot" in await gracewatch.say("subscriptions")
    assert "hears no more of list:kvm not author:bot" in await gracewatch.say("unsubscribe 1", who=BOSS)
    assert "there is no subscription here" in await gracewatch.say("unsubscribe 1", who=BOSS)


async def test_a_filter_that_makes_no_sense_is_told_the_cure(gracewatch: Bot) -> None:
    assert "There is no field 'lst'" in await gracewatch.say("subscribe lst:kvm", who=BOSS)


async def test_a_preview_shows_what_would_have_been_told(gracewatch: Bot) -> None:
    text = await gracewatch.say("preview list:kvm 7d")
    assert text.startswith("list:kvm, 7 days: 1 card, 1 warning, 2 edits of what stands")
    assert "error: KVM: walk devices, https://lore.kernel.org/r/v1-1@example.org" in text
    assert "└ error: list_del() on kvm.devices, which is an RCU list" in text
    assert "0 cards" in await gracewatch.say("preview arch:s390 30d")
    assert "0 cards" in await gracewatch.say("preview not author:ada")
    assert (await gracewatch.say("preview")).startswith("what #kvm hears of, 7 days: 1 card")


# ------------------------------------------------------------------------------------------------ habits


async def test_habits_are_kept_and_taken_back(gracewatch: Bot) -> None:
    for words in ("thread-only off", "every-series yes", "digest weekly at 7:30 Europe/Berlin", "quiet 22:00-6:00"):
        assert "for #kvm" in await gracewatch.say(words, who=BOSS)
    kept = await habits(gracewatch)
    assert kept is not None
    assert (kept.thread_only, kept.every_series, kept.digest, kept.digest_at) == (
        False,
        True,
        Rhythm.WEEKLY,
        time(7, 30),
    )
    assert (kept.quiet_from, kept.quiet_to, kept.zone) == (time(22), time(6), "Europe/Berlin")
    assert "thread-only on" in await gracewatch.say("thread-only on", who=BOSS)
    assert await undone(gracewatch, "digest off") == "digest weekly at 07:30 Europe/Berlin for #kvm"
    assert await undone(gracewatch, "quiet-hours off") == "quiet-hours 22:00-06:00 Europe/Berlin for #kvm"


async def test_the_first_digest_is_the_next_one(gracewatch: Bot) -> None:
    await gracewatch.say("digest at 9", who=BOSS)
    kept = await habits(gracewatch)
    assert kept is not None
    assert (kept.digest, kept.told_on) == (Rhythm.DAILY, NOW.date())


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        ("digest hourly", "'hourly' is no time, no time zone and no rhythm"),
        ("digest at 25", "'25' is no time"),
        ("quiet-hours 9", "such as `quiet-hours 22:00-6:00 Europe/Berlin`"),
        ("quiet-hours 9-9", "such as"),
        ("quiet-hours 22-6 Mars/Base", "There is no time zone 'Mars/Base'"),
        ("thread-only maybe", "on, and warnings stay in their threads"),
        ("every-series maybe", "each series has a card"),
    ],
)
async def test_what_is_no_setting_is_told_the_cure(gracewatch: Bot, words: str, cure: str) -> None:
    assert cure in await gracewatch.say(words, who=BOSS)


# ------------------------------------------------------------------------------------------------ people


async def test_a_person_tells_their_address_and_sees_their_findings(gracewatch: Bot) -> None:
    assert "address unknown" in await gracewatch.say("whoami")
    assert "Say `whoami` with the address" in await gracewatch.say("home", channel="")
    assert "Your patches come from ada@example.org" in await gracewatch.say("whoami Ada@Example.org")
    text = await gracewatch.say("home", channel="")
    assert "1 open finding in 1 series (ada@example.org)" in text
    assert "aaaaaaaa error: list_del() on kvm.devices" in text
    assert "come from nowhere" in await gracewatch.say("whoami forget")
    assert "the address that you send patches from" in await gracewatch.say("whoami nobody in particular")


async def test_a_person_is_told_what_they_may(gracewatch: Bot) -> None:
    assert "decide for #kvm" not in await gracewatch.say("whoami")
    assert "decide for #kvm" in await gracewatch.say("whoami", who=DEPUTY)


async def test_home_shows_what_is_ones_own(gracewatch: Bot) -> None:
    await gracewatch.say("subscribe me arch:x86")
    await gracewatch.say("mute path virt/*", who=BOSS)
    await gracewatch.say("ack aaaaaaaa")
    mine, theirs = await gracewatch.say("home", channel=""), await gracewatch.say("home", channel="", who=BOSS)
    assert "subscription 1 arch:x86" in mine
    assert "mute 1, #kvm path virt/*" not in mine
    assert "mute 1, #kvm path virt/*" in theirs
    assert "plain-del-on-rculist 100% useful of 1" in mine


# ------------------------------------------------------------------------------------------------ findings


async def test_open_findings_are_listed_with_their_names(gracewatch: Bot) -> None:
    text = await gracewatch.say("open")
    assert text.startswith("error: 1 open finding in 1 series")
    assert "aaaaaaaa error: list_del() on kvm.devices, which is an RCU list" in text
    assert "Nothing is open" in await gracewatch.say("open author:nobody")
    await gracewatch.say("fp aaaaaaaa")
    assert "Nothing is open" in await gracewatch.say("open")


async def test_a_series_is_shown_as_it_stands(gracewatch: Bot) -> None:
    await gracewatch.say("ack aaaaaaaa")
    text = await gracewatch.say("show walk devices")
    assert "v1: 1 new (kvm.devices)" in text
    assert "Acknowledged by @U1" in text
    assert "No series has 'xfs'" in await gracewatch.say("show xfs")


async def test_a_finding_can_be_copied_as_a_mail(gracewatch: Bot) -> None:
    text = await gracewatch.say("quote aaaaaaaa")
    for words in (
        "On Wed, Mar 04, 2026, Ada Writer wrote:",
        "> +list_add_rcu(&dev->vm_node, &kvm->devices);",
        "list_del() on kvm.devices, which is an RCU list.",
        "virt/kvm/kvm_main.c:4787 kvm_device_release()",
        "Can kvm_device_release() run while a reader is on the list?",
        "gracewatch never writes to a list",
    ):
        assert words in text


async def test_rules_say_what_people_found(gracewatch: Bot) -> None:
    await gracewatch.say("fp aaaaaaaa")
    assert "[0% useful of 1 (0% to 79%)]" in await gracewatch.say("rules")
    assert "people found it 0% useful of 1" in await gracewatch.say("explain plain-del-on-rculist")


async def test_series_takes_a_filter(gracewatch: Bot) -> None:
    assert "KVM: walk devices" in await gracewatch.say("series list:kvm path:virt")
    assert "No series has" in await gracewatch.say("series arch:s390")
