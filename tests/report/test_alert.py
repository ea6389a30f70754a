"""What a channel is told of a series, and what it is spared."""

from __future__ import annotations

from dataclasses import replace

from bot.model import Alert, Context, Level, Life, Page, Quiet, SeriesState
from bot.report.alert import compose
from bot.report.bar import Bar
from bot.report.deliveries import deliveries
from bot.report.lifecycle import join
from bot.report.text import render
from tests.report.making import ERROR_PATH, OTHER, RELEASE, review, series


def shown(page: Page) -> str:
    return render(page, 200)


def told(found: Alert | Quiet) -> Alert:
    assert isinstance(found, Alert), found
    return found


def test_a_first_version_gets_a_card_and_one_reply_for_one_object() -> None:
    findings = (RELEASE, ERROR_PATH)
    alert = told(compose(series(), review(1, *findings), join({}, findings)))
    assert len(alert.replies) == 1
    name, page = alert.replies[0]
    assert name == "aaaa"
    assert page.headline == "list_del() on kvm.devices, which is an RCU list"
    assert "kvm_ioctl_create_device(), in the diff" in shown(page)
    assert "kvm_device_release(), not touched by the diff" in shown(page)


def test_the_card_says_who_sent_what_and_how_much_was_looked_at() -> None:
    alert = told(compose(series(), review(1, RELEASE), join({}, (RELEASE,))))
    assert alert.card.link == "https://lore.kernel.org/r/v1-1@example.org"
    assert alert.card.level is Level.ERROR
    text = shown(alert.card)
    for words in (
        "KVM: walk devices",
        "v1: 1 new (kvm.devices)",
        "Ada Writer",
        "v1 of 2026-03-04",
        "kvm@vger.kernel.org",
        "1 patch changes 1 file: 1 line added, 1 removed",
        "Looked at 212 functions in the changed files and the files around them of linux-6.12.",
        "never reach the mailing list",
    ):
        assert words in text


def test_a_third_version_that_fixes_two_says_so() -> None:
    life = join({1: (RELEASE, ERROR_PATH), 2: (RELEASE, ERROR_PATH)}, ())
    alert = told(compose(series(3), review(3), life))
    assert "v3: 2 fixed, 0 still open, 0 new" in shown(alert.card)
    assert "fixed in v3: 2 (kvm.devices)" in shown(alert.card)
    assert alert.card.level is None
    assert alert.replies == ()


def test_what_a_shallower_look_does_not_see_is_not_called_fixed() -> None:
    shallow = replace(review(2), context=Context.HUNK)
    alert = told(compose(series(2), shallow, join({1: (RELEASE,)}, ())))
    assert "v2: 1 not seen again" in shown(alert.card)
    assert "fixed" not in shown(alert.card)


def test_an_open_finding_is_on_the_card_and_not_told_again() -> None:
    alert = told(compose(series(2), review(2, RELEASE), join({1: (RELEASE,)}, (RELEASE,))))
    assert "v2: 0 fixed, 1 still open, 0 new" in shown(alert.card)
    assert alert.replies == ()


def test_a_finding_that_comes_back_is_told_again_under_a_name_of_its_own() -> None:
    alert = told(compose(series(3), review(3, RELEASE), join({1: (RELEASE,), 2: ()}, (RELEASE,))))
    assert [name for name, _ in alert.replies] == ["aaaa@v3"]
    assert "1 back again" in shown(alert.card)


def test_a_series_with_nothing_wrong_is_quiet_unless_it_has_a_card() -> None:
    assert compose(series(), review(), Life()) == Quiet("", "nothing found")
    edited = told(compose(series(4), review(4), Life(), followed=True))
    assert "v4: 0 fixed, 0 still open, 0 new" in shown(edited.card)


def test_notes_and_doubtful_findings_never_raise_a_card() -> None:
    note, doubtful = replace(RELEASE, level=Level.NOTE), replace(OTHER, confidence=0.3)
    found = compose(series(), review(1, note, doubtful), join({}, (note, doubtful)), bar=Bar(Level.NOTE, 0.5))
    assert found == Quiet("", "2 found, none above the bar of the channel")


def test_a_channel_for_errors_is_spared_warnings() -> None:
    warning = replace(RELEASE, level=Level.WARNING)
    assert isinstance(compose(series(), review(1, warning), join({}, (warning,)), bar=Bar(Level.ERROR)), Quiet)


def test_an_old_version_that_settles_late_does_not_undo_the_card() -> None:
    versions = (series(2), series(3, SeriesState.REVIEWED))
    found = compose(series(2), review(2, RELEASE), join({}, (RELEASE,)), versions)
    assert found == Quiet("", "v3 was reviewed before v2 settled")


def test_missing_parts_and_hunks_that_did_not_apply_are_on_the_card() -> None:
    part = replace(series(), expected=3)
    looked = replace(review(1, RELEASE), notes=("patch 1 did not apply to the tree",))
    text = shown(told(compose(part, looked, join({}, (RELEASE,)))).card)
    assert "Of 3 parts 2 never came: 2, 3." in text
    assert "patch 1 did not apply to the tree" in text


def test_a_flood_of_objects_ends_in_one_line() -> None:
    flood = tuple(replace(RELEASE, subject=f"object {n}", fingerprint=f"f{n:03}") for n in range(40))
    alert = told(compose(series(), review(1, *flood), join({}, flood)))
    assert len(alert.replies) == 11
    assert alert.replies[-1][1].headline == "… and 30 more objects"


def test_the_same_alert_makes_the_same_keys_and_a_changed_card_a_new_one() -> None:
    first = told(compose(series(), review(1, RELEASE), join({}, (RELEASE,))))
    second = told(compose(series(2), review(2, RELEASE), join({1: (RELEASE,)}, (RELEASE,))))
    keys = [delivery.key for delivery in deliveries(first, "slack", "C1")]
    assert keys == [delivery.key for delivery in deliveries(first, "slack", "C1")]
    assert keys[1] == "slack/C1/thread-1/reply/aaaa"
    (edit,) = deliveries(second, "slack", "C1")
    assert edit.card
    assert edit.key not in keys
    assert len({*keys, *(d.key for d in deliveries(first, "slack", "C2"))}) == 4
