"""What a channel is told of a series, and what it is spared."""

from __future__ import annotations

from dataclasses import replace

from bot.model import (
    Alert,
    Context,
    Finding,
    Level,
    Mute,
    MuteKind,
    Page,
    Person,
    Quiet,
    SeriesState,
    Told,
    Triage,
    Verdict,
)
from bot.report.alert import View, compose
from bot.report.bar import Bar
from bot.report.deliveries import deliveries
from bot.report.story import Story
from bot.report.text import render
from tests.report.making import ERROR_PATH, NOON, OTHER, RELEASE, review, series, story

ADA = Person("slack", "U1")
TOLD = {"reply/aaaaaaaaaaaaaaaa": (RELEASE.fingerprint,)}
FOLLOWED = View("slack", told=TOLD, followed=True)


def shown(page: Page) -> str:
    return render(page, 200)


def told(found: Alert | Quiet) -> Alert:
    assert isinstance(found, Alert), found
    return found


def of(view: View, *found: tuple[Finding, ...], verdicts: tuple[Triage, ...] = ()) -> Alert:
    return told(compose(story(*found, verdicts=verdicts), view))


def reply(alert: Alert) -> Told:
    (only,) = alert.replies
    return only


def triage(verdict: Verdict, finding: Finding = RELEASE, reason: str = "", who: Person = ADA) -> Triage:
    return Triage(finding.fingerprint, finding.rule, verdict, who, NOON, reason)


def test_a_first_version_gets_a_card_and_one_reply_for_one_object() -> None:
    one = reply(of(View(), (RELEASE, ERROR_PATH)))
    assert one.slot == "reply/aaaaaaaaaaaaaaaa"
    assert one.about == (RELEASE.fingerprint, ERROR_PATH.fingerprint)
    assert one.page.headline == "list_del() on kvm.devices, which is an RCU list"
    assert "kvm_ioctl_create_device(), in the diff" in shown(one.page)
    assert "kvm_device_release(), not touched by the diff" in shown(one.page)


def test_the_card_says_who_sent_what_and_how_much_was_looked_at() -> None:
    alert = of(View(), (RELEASE,))
    assert alert.card.link == "https://lore.kernel.org/r/v1-1@example.org"
    assert alert.card.level is Level.ERROR
    text = shown(alert.card)
    for words in (
        "KVM: walk devices",
        "v1: 1 new (kvm.devices)",
        "Ada Writer",
        "v1 of 2026-03-04",
        "kvm@vger.kernel.org",
        "generic",
        "1 patch changes 1 file: 1 line added, 1 removed",
        "Looked at 212 functions in the changed files and the files around them of linux-6.12.",
        "never reach the mailing list",
    ):
        assert words in text


def test_a_third_version_that_fixes_two_says_so() -> None:
    alert = of(View(followed=True), (RELEASE, ERROR_PATH), (RELEASE, ERROR_PATH), ())
    assert "v3: 2 fixed, 0 still open, 0 new" in shown(alert.card)
    assert "fixed in v3: 2 (kvm.devices)" in shown(alert.card)
    assert alert.card.level is None
    assert alert.replies == ()


def test_the_message_about_a_fault_says_that_it_was_fixed() -> None:
    one = reply(of(FOLLOWED, (RELEASE,), ()))
    assert "Fixed in v2" in shown(one.page)
    assert one.page.level is None
    assert [action.label for action in one.page.actions] == ["Explain", "Evidence", "Copy as quoted reply"]


def test_what_a_shallower_look_does_not_see_is_not_called_fixed() -> None:
    it = story((RELEASE,), ())
    it = replace(it, reviews={**it.reviews, "v2": replace(review(2), context=Context.HUNK)})
    alert = told(compose(it, FOLLOWED))
    assert "v2: 1 not seen again" in shown(alert.card)
    assert "fixed" not in shown(alert.card)
    assert "Not seen again in v2, in which less of the code could be looked at" in shown(reply(alert).page)


def test_an_open_finding_is_on_the_card_and_its_message_says_so() -> None:
    alert = of(FOLLOWED, (RELEASE,), (RELEASE,))
    assert "v2: 0 fixed, 1 still open, 0 new" in shown(alert.card)
    assert reply(alert).slot == "reply/aaaaaaaaaaaaaaaa"
    assert "Still open in v2" in shown(reply(alert).page)


def test_one_of_two_places_that_is_left_is_said_to_be() -> None:
    both = View(told={"reply/aaaaaaaaaaaaaaaa": (RELEASE.fingerprint, ERROR_PATH.fingerprint)}, followed=True)
    text = shown(reply(of(both, (RELEASE, ERROR_PATH), (RELEASE,))).page)
    assert "Still open in v2 in 1 of 2 places" in text
    assert "kvm_ioctl_create_device(), in the diff" not in text


def test_a_finding_that_comes_back_is_told_again_in_a_message_of_its_own() -> None:
    alert = of(FOLLOWED, (RELEASE,), (), (RELEASE,))
    assert [one.slot for one in alert.replies] == ["reply/aaaaaaaaaaaaaaaa", "reply/aaaaaaaaaaaaaaaa@v3"]
    assert "Back again in v3: it was in v1, and then gone" in shown(alert.replies[1].page)
    assert "1 back again" in shown(alert.card)
    later = View(told={**TOLD, "reply/aaaaaaaaaaaaaaaa@v3": (RELEASE.fingerprint,)}, followed=True)
    assert len(of(later, (RELEASE,), (), (RELEASE,), (RELEASE,)).replies) == 2


def test_a_series_with_nothing_wrong_is_quiet_unless_it_has_a_card() -> None:
    assert compose(story(()), View()) == Quiet("", "nothing found")
    assert "v4: 0 fixed, 0 still open, 0 new" in shown(of(View(followed=True), (), (), (), ()).card)


def test_a_channel_may_ask_for_every_series() -> None:
    assert "v1: 0 new" in shown(of(View(every_series=True), ()).card)
    assert compose(story(()), View(every_series=True, wanted=False)) == Quiet("", "no subscription admits it")


def test_notes_and_doubtful_findings_never_raise_a_card() -> None:
    found = (replace(RELEASE, level=Level.NOTE), replace(OTHER, confidence=0.3))
    assert compose(story(found), View(bar=Bar(Level.NOTE, 0.5))) == Quiet(
        "", "2 found, none above the bar of the channel"
    )


def test_a_channel_for_errors_is_spared_warnings() -> None:
    assert isinstance(compose(story((replace(RELEASE, level=Level.WARNING),)), View(bar=Bar(Level.ERROR))), Quiet)


def test_an_old_version_that_settles_late_does_not_undo_the_card() -> None:
    late = Story(
        (series(2, SeriesState.REVIEWED), series(3, SeriesState.REVIEWED)), {"v2": review(2, RELEASE), "v3": review(3)}
    )
    assert "v3: 1 fixed" in shown(told(compose(late, View(followed=True))).card)


def test_missing_parts_and_hunks_that_did_not_apply_are_on_the_card() -> None:
    it = story((RELEASE,))
    looked = replace(review(1, RELEASE), notes=("patch 1 did not apply to the tree",))
    part = replace(it, versions=(replace(it.versions[0], expected=3),), reviews={"v1": looked})
    text = shown(told(compose(part, View())).card)
    assert "Of 3 parts 2 never came: 2, 3." in text
    assert "patch 1 did not apply to the tree" in text


def test_a_flood_of_objects_ends_in_one_line() -> None:
    flood = tuple(replace(RELEASE, subject=f"object {n}", fingerprint=f"f{n:03}") for n in range(40))
    alert = of(View(), flood)
    assert len(alert.replies) == 11
    assert alert.replies[-1].page.headline == "… and 30 more objects"
    assert len(alert.replies[-1].about) == 30
    after = View(told={one.slot: one.about for one in alert.replies}, followed=True)
    assert len(of(after, flood).replies) == 10


def test_one_message_has_one_key_for_ever() -> None:
    first = of(View(), (RELEASE,))
    card, one = deliveries(first, "slack", "C1")
    assert (card.key, card.slot, card.card) == ("slack/C1/thread-1/card", "card", True)
    assert (one.key, one.slot) == ("slack/C1/thread-1/reply/aaaaaaaaaaaaaaaa", "reply/aaaaaaaaaaaaaaaa")
    assert [it.key for it in deliveries(of(FOLLOWED, (RELEASE,), ()), "slack", "C1")] == [card.key, one.key]


# ------------------------------------------------------------------------------------------------ what people said


def test_a_verdict_is_shown_with_who_and_when_and_an_undo() -> None:
    alert = of(FOLLOWED, (RELEASE,), verdicts=(triage(Verdict.ACK),))
    page = reply(alert).page
    assert "Acknowledged by @U1, 2026-03-04 12:00 UTC" in shown(page)
    assert page.level is Level.ERROR
    assert page.actions[0].words == "reopen aaaaaaaa"
    assert "v1: 1 new" in shown(alert.card)


def test_a_dismissed_finding_leaves_the_card_calm() -> None:
    alert = of(FOLLOWED, (RELEASE,), verdicts=(triage(Verdict.FALSE_POSITIVE, reason="private there"),))
    assert "False positive, says @U1, 2026-03-04 12:00 UTC: private there" in shown(reply(alert).page)
    assert (alert.card.level, reply(alert).page.level) == (None, None)
    assert "v1: 0 new\ndismissed: kvm.devices" in shown(alert.card)


def test_a_dismissed_finding_does_not_come_back_in_the_next_version() -> None:
    dismissed = (triage(Verdict.WONT_FIX),)
    assert compose(story((RELEASE,), (RELEASE,), verdicts=dismissed), View()) == Quiet(
        "", "1 found, all dismissed before"
    )
    assert len(of(View(), (RELEASE,), (RELEASE, OTHER), verdicts=dismissed).replies) == 1


def test_a_mute_keeps_a_finding_away_but_lets_what_was_told_go_on() -> None:
    mute = Mute("slack", "#kvm", MuteKind.PATH, "virt/kvm", ADA, NOON)
    assert isinstance(compose(story((RELEASE,)), View(mutes=(mute,))), Quiet)
    assert len(of(replace(FOLLOWED, mutes=(mute,)), (RELEASE,), (RELEASE, OTHER)).replies) == 1


def test_a_demoted_rule_is_not_told_in_threads() -> None:
    view = View(demoted=frozenset({RELEASE.rule}))
    assert isinstance(compose(story((RELEASE,)), view), Quiet)
    assert reply(of(view, (RELEASE, replace(ERROR_PATH, subject="kvm.other")))).about == (ERROR_PATH.fingerprint,)
