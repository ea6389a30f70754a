"""What replies on the list say: tags, refusals, that a series was taken, and what a reviewer raised before us."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.model import Address, Message, Series, Subject, SubjectKind, Trailer
from bot.report import merge, raised, tags
from bot.report.alert import View, compose
from bot.report.text import render
from tests.report.making import ADA, ERROR_PATH, NOON, RELEASE, series, story
from tests.report.test_alert import told

SEAN = Address("Sean Reviewer", "sean@example.com")
BO = Address("Bo Tester", "bo@example.com")


def reply(body: str, sender: Address = SEAN, title: str = "KVM: walk devices", name: str = "r1@example.com") -> Message:
    subject = Subject(f"Re: [PATCH] {title}", SubjectKind.REPLY, title)
    return Message(name, subject, sender, NOON, (), ("v1-1@example.org",), body)


def answered(*replies: Message) -> Series:
    return replace(series(), replies=replies)


# ------------------------------------------------------------------------------------------------ tags


def test_tags_of_patches_and_replies_are_gathered_by_who_gave_them() -> None:
    patch = replace(series().patches[0], trailers=(Trailer("Reviewed-by", "Cy <cy@example.com>"),))
    one = replace(
        answered(
            reply("Looks good.\n\nReviewed-by: Sean Reviewer <sean@example.com>\n"),
            reply("> Reviewed-by: Quoted <q@example.com>\n\nTested-by: Bo Tester <bo@work.example>\n", BO, name="r2"),
            reply("Reviewed-by: Sean Reviewer <sean@example.com>\n", name="r3"),
        ),
        patches=(patch,),
    )
    assert tags.fields(one) == [("tags", "Reviewed-by Cy, Sean Reviewer; Tested-by Bo Tester")]


def test_a_tag_that_somebody_gives_for_another_does_not_count() -> None:
    assert tags.fields(answered(reply("Reviewed-by: Linus <linus@example.com>\n", BO))) == []
    assert tags.fields(answered(reply("Reviewed-by: Ada Writer <ada@example.org>\n", ADA))) == []


@pytest.mark.parametrize("body", ["NAK.", "Nacked-by: Sean Reviewer <sean@example.com>", "> x\nNAK, see below", "Nack"])
def test_a_refusal_is_on_the_card(body: str) -> None:
    assert ("tags", "NAK Sean Reviewer") in tags.fields(answered(reply(body)))


@pytest.mark.parametrize("body", ["> NAK", "NAKed interrupts are counted", "I would not NAK this"])
def test_what_only_sounds_like_a_refusal_is_none(body: str) -> None:
    assert tags.fields(answered(reply(body))) == []


def test_what_it_mends_and_for_whom_is_on_the_card() -> None:
    trailers = (Trailer("Fixes", '0123456789ab ("KVM: break it")'), Trailer("Cc", "stable@vger.kernel.org"))
    one = replace(series(), patches=(replace(series().patches[0], trailers=trailers),))
    assert tags.fields(one) == [("fixes", '0123456789ab ("KVM: break it"), for stable')]


def test_hostile_names_and_floods_of_tags_stay_short() -> None:
    flood = "\n".join(f"Acked-by: {'x' * 300} {n} <sean@example.com>" for n in range(500))
    ((_, said),) = tags.fields(answered(reply(flood)))
    assert len(said) < 600


# ------------------------------------------------------------------------------------------------ taken


@pytest.mark.parametrize(
    "body",
    [
        "Applied to next, thanks!\n\n[1/1] KVM: walk devices\n      commit: 0123456789ab\n",
        "On Mon, Ada wrote:\n> x\n\nQueued, thanks.\n\nPaolo\n",
        "I've applied patch 1 to target.next; thanks.",
        "Queued patches 1-5, thanks.",
        "Applied, thanks!",
    ],
)
def test_a_maintainers_word_that_it_was_taken_is_understood(body: str) -> None:
    found = merge.of([answered(reply(body))])
    assert found is not None
    assert found.who == "Sean Reviewer"


@pytest.mark.parametrize(
    "body",
    [
        "> Applied, thanks!\nNot yet.",
        "Could this be\napplied to next?",
        "I applied this locally and it crashes.",
        "Applied patches 1 and 2 once the others are reviewed.",
        "Once that is merged, please resend.",
        "this can be\nmerged with the other one.",
        "merge window",
    ],
)
def test_what_only_speaks_of_taking_is_not_it(body: str) -> None:
    assert merge.of([answered(reply(body))]) is None


def test_robots_that_tell_of_merges_are_understood() -> None:
    tip = replace(
        reply(
            "The following commit has been merged into the x86/urgent branch of tip:", Address("tip-bot2", "tip-bot2@x")
        ),
        subject=Subject("[tip: x86/urgent] KVM: walk devices", SubjectKind.OTHER, "KVM: walk devices"),
    )
    tracker = reply(
        "The pull request you sent on Sun:\n\n> git://x\n\nhas been merged into torvalds/linux.git:\n"
        "https://git.kernel.org/torvalds/c/0123456789ab\n\nThank you!\n",
        Address("pr-tracker-bot", merge.TRACKER),
    )
    for mail, words in ((tip, "merged into x86/urgent of tip"), (tracker, "merged into torvalds/linux.git")):
        found = merge.of([answered(mail)])
        assert found is not None
        assert found.words == words


def test_a_merge_with_something_open_is_on_card_and_message() -> None:
    it = story((RELEASE,))
    it = replace(it, versions=(replace(it.versions[0], replies=(reply("Applied to next, thanks!"),)),))
    alert = told(compose(it, View(told={f"reply/{RELEASE.fingerprint}": (RELEASE.fingerprint,)}, followed=True)))
    said = 'Sean Reviewer, "Applied to next, thanks!"'
    assert f"merged with 1 open (kvm.devices): {said}" in render(alert.card, 200)
    assert f"Merged with this open: {said}" in render(alert.replies[0].page, 200)


# ------------------------------------------------------------------------------------------------ raised

QUOTE = "> +\tlist_add_rcu(&dev->vm_node, &kvm->devices);\n"


@pytest.mark.parametrize(
    "body",
    [
        f"{QUOTE}\nWhat about kvm_device_release()?  It frees dev right after list_del().\n",
        f"{QUOTE}> \nReaders may still be on it: you need to synchronize_srcu() before the free.\n",
        "There is no grace period in kvm_device_release().\n",
    ],
)
def test_a_reviewer_who_says_the_same_is_heard(body: str) -> None:
    assert raised.by([answered(reply(body))], RELEASE) is not None


@pytest.mark.parametrize(
    ("body", "sender"),
    [
        (f"{QUOTE}\nPlease wrap this line.\n", SEAN),
        ("> kvm_device_release() frees it without a grace period\n\nReviewed-by: Sean <sean@example.com>\n", SEAN),
        ("RCU is hard.\n", SEAN),
        (f"{QUOTE}\nI forgot the grace period in kvm_device_release().\n", ADA),
        (f"{QUOTE}\nlist_del() without a grace period\n", Address("x", "robot@lkp.example")),
        ("-- \nkvm_device_release() rcu\n", SEAN),
    ],
)
def test_what_is_about_something_else_or_by_others_is_not(body: str, sender: Address) -> None:
    assert raised.by([answered(reply(body, sender))], RELEASE) is None


def test_what_a_reviewer_raised_is_said_on_the_card_and_not_repeated() -> None:
    it = story((RELEASE, replace(ERROR_PATH, subject="kvm.other", function="other_function", evidence=())))
    body = "There is no grace period in kvm_device_release().\n"
    it = replace(it, versions=(replace(it.versions[0], replies=(reply(body),)),))
    alert = told(compose(it, View()))
    assert "raised on the list by Sean Reviewer: kvm.devices" in render(alert.card, 200)
    assert [one.about for one in alert.replies] == [(ERROR_PATH.fingerprint,)]


def test_what_is_raised_after_we_told_it_is_added_to_the_message() -> None:
    it = story((RELEASE,))
    body = "There is no grace period in kvm_device_release().\n"
    it = replace(it, versions=(replace(it.versions[0], replies=(reply(body),)),))
    alert = told(compose(it, View(told={f"reply/{RELEASE.fingerprint}": (RELEASE.fingerprint,)}, followed=True)))
    text = render(alert.replies[0].page, 200)
    assert "Raised on the list by Sean Reviewer, https://lore.kernel.org/r/r1@example.com" in text


def test_huge_and_crafted_replies_take_no_time() -> None:
    body = "> " * 100_000 + "\n" + "x" * 500_000 + "\n" + "NAK" * 10_000 + "\nApplied" + " " * 100_000
    one = answered(*(reply(body, name=f"r{n}") for n in range(20)))
    assert raised.by([one], RELEASE) is None
    assert merge.of([one]) is None
    tags.fields(one)
