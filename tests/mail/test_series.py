"""A series grows mail by mail: complete, late, sent again, replaced, answered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from drawing import BOB, NOON, diff, mail, patch_text

from bot.mail.series import MOST_PARTS, add, settle
from bot.model import Message, Patch, Series, SeriesState

PATIENCE = timedelta(hours=2)
OPEN, SETTLED, REVIEWED = SeriesState.OPEN, SeriesState.SETTLED, SeriesState.REVIEWED
Letter = tuple[Message, Patch | None]


def grow(*letters: Letter, known: tuple[Series, ...] = (), at: int = 0) -> dict[str, Series]:
    """Every series after these letters, by key."""
    series = {one.key: one for one in known}
    for message, patch in letters:
        grown = add(tuple(series.values()), message, patch, NOON + timedelta(minutes=at), PATIENCE)
        if grown is not None:
            series[grown.key] = grown
    return series


def one(*letters: Letter, known: tuple[Series, ...] = ()) -> Series:
    (series,) = grow(*letters, known=known).values()
    return series


def reviewed(series: Series) -> Series:
    return replace(settle(series, series.settles_at), state=REVIEWED)


COVER = mail("[PATCH 0/2] KVM: two steps", "c", body="Hello.\n")
FIRST = mail("[PATCH 1/2] KVM: step one", "p1", to="c", minute=1)
SECOND = mail("[PATCH 2/2] KVM: step two", "p2", to="c", minute=2)


@pytest.mark.parametrize(
    "letters",
    [(COVER, FIRST, SECOND), (SECOND, FIRST, COVER), (FIRST, COVER, SECOND), (SECOND, COVER, FIRST)],
    ids=["cover first", "cover last", "cover between", "backwards"],
)
def test_a_series_is_put_together_in_any_order(letters: tuple[Letter, ...]) -> None:
    # c   [PATCH 0/2]
    # ├─ p1 [PATCH 1/2]
    # └─ p2 [PATCH 2/2]
    series = one(*letters)
    assert (series.title, series.version, series.expected) == ("KVM: two steps", 1, 2)
    assert series.message_ids == ("c@x", "p1@x", "p2@x")
    assert series.state is SETTLED
    assert series.author.email == "ann@example.org"


def test_a_series_waits_for_missing_parts_until_patience_is_over() -> None:
    series = one(COVER, SECOND)
    assert (series.state, series.missing) == (OPEN, (1,))
    assert series.settles_at == NOON + PATIENCE
    assert settle(series, series.settles_at - timedelta(seconds=1)).state is OPEN
    assert settle(series, series.settles_at).state is SETTLED


def test_each_part_renews_patience() -> None:
    first = one(COVER)
    later = add((first,), *FIRST, NOON + timedelta(hours=1), PATIENCE)
    assert later is not None
    assert later.settles_at == NOON + timedelta(hours=3)


def test_a_cover_alone_is_never_complete() -> None:
    assert one(COVER).state is OPEN


def test_a_lone_patch_is_complete_at_once() -> None:
    series = one(mail("[PATCH] KVM: one thing", "s"))
    assert (series.state, series.title, series.expected, series.message_ids) == (
        SETTLED,
        "KVM: one thing",
        1,
        ("s@x",),
    )


def test_a_series_without_cover_is_named_by_its_first_patch() -> None:
    # p1  [PATCH 1/2]
    # └─ p2 [PATCH 2/2]
    second, first = mail("[PATCH 2/2] KVM: b", "p2", to="p1"), mail("[PATCH 1/2] KVM: a", "p1")
    for letters in ((first, second), (second, first)):
        series = one(*letters)
        assert (series.title, series.state) == ("KVM: a", SETTLED)


def test_deeply_threaded_parts_are_one_series() -> None:
    # c
    # └─ p1
    #    └─ p2
    deep = mail("[PATCH 2/2] KVM: step two", "p2", to="p1", references="c p1")
    assert len(one(COVER, FIRST, deep).patches) == 2
    assert len(one(deep, FIRST, COVER).patches) == 2


def test_parts_sent_without_threading_are_joined_by_author_place_and_time() -> None:
    loose = [mail(f"[PATCH {n}/3] KVM: part {n}", f"l{n}", minute=n) for n in (1, 2, 3)]
    assert one(*loose).missing == ()


def test_parts_of_one_git_run_are_joined_without_threading() -> None:
    stem = "20240301120000.4242-{}-ann@example.org"
    parts = [mail(f"[PATCH {n}/2] KVM: part {n}", stem.format(n)) for n in (2, 1)]
    assert one(*parts).missing == ()


def test_parts_sent_one_by_one_without_threading_are_joined() -> None:
    first = mail("[PATCH 1/2] KVM: a", "20240301120000.42-1-ann")
    second = mail("[PATCH 2/2] KVM: b", "20240301121000.43-1-ann", minute=10)
    assert one(second, first).missing == ()
    tomorrow = mail("[PATCH 2/2] KVM: b", "20240302121000.43-1-ann", minute=24 * 60)
    assert len(grow(first, tomorrow)) == 2


def test_the_cover_of_the_same_run_is_waited_for() -> None:
    # git send-email numbered the cover 1, so somebody will see it; it names the series.
    first = mail("[PATCH 1/1] KVM: a", "20240301120000.4242-2-ann", to="20240301120000.4242-1-ann")
    series = one(first)
    assert (series.state, series.missing) == (OPEN, ())
    cover = mail("[PATCH 0/1] KVM: the work", "20240301120000.4242-1-ann", body="Hello.\n")
    assert one(cover, known=(series,)).state is SETTLED


def test_the_same_mail_from_two_lists_counts_once() -> None:
    series = one(COVER, FIRST)
    assert one(FIRST, COVER, known=(series,)) == series


def test_a_late_part_has_the_series_reviewed_again() -> None:
    done = reviewed(one(COVER, FIRST))
    assert done.state is REVIEWED
    grown = one(SECOND, known=(done,))
    assert (grown.state, grown.missing) == (SETTLED, ())


def test_a_late_cover_changes_the_title_and_not_the_state() -> None:
    grown = one(COVER, known=(reviewed(one(FIRST, SECOND)),))
    assert (grown.state, grown.title) == (REVIEWED, "KVM: two steps")


def test_a_late_cover_that_names_the_base_has_the_series_reviewed_again() -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    cover = mail("[PATCH 0/2] KVM: two steps", "c", body=f"Hello.\n\nbase-commit: {sha}\n")
    grown = one(cover, known=(reviewed(one(FIRST, SECOND)),))
    assert (grown.state, grown.base_commit) == (SETTLED, sha)


def test_a_reply_is_kept_with_its_words_and_moves_no_state() -> None:
    quoted = "".join(f"> {line}\n" for line in diff().splitlines())
    answer = mail("Re: [PATCH 1/2] KVM: step one", "r1", to="p1", references="c p1", sender=BOB, body=quoted + "Why?\n")
    again = mail("Re: [PATCH 1/2] KVM: step one", "r2", to="r1", references="c p1 r1", body="Because.\n", minute=9)
    done = reviewed(one(COVER, FIRST, SECOND))
    series = one(again, answer, known=(done,))
    assert series.state is REVIEWED
    assert [reply.id for reply in series.replies] == ["r1@x", "r2@x"]
    assert "> @@ -10,3 +10,3 @@" in series.replies[0].body
    assert len(series.patches) == 2


def test_a_reply_to_nothing_known_is_in_no_series() -> None:
    assert grow(mail("Re: [PATCH] x", "r", to="nowhere")) == {}


def test_a_pull_request_is_in_no_series() -> None:
    assert grow(mail("[GIT PULL] KVM fixes", "g"), mail("[PULL 1/9] KVM: x", "g1", to="g")) == {}


@pytest.mark.parametrize("parent", ["p2", "r"])
def test_part_ten_sent_again_as_v5_1_takes_its_place(parent: str) -> None:
    # c  [PATCH v5 0/2]
    # ├─ p1
    # └─ p2 [PATCH v5 2/2]
    #    └─ r  Re: [PATCH v5 2/2]
    #       └─ n [PATCH v5.1 2/2]
    v5 = one(
        mail("[PATCH v5 0/2] KVM: w", "c", body="x\n"),
        mail("[PATCH v5 1/2] KVM: a", "p1", to="c"),
        mail("[PATCH v5 2/2] KVM: b", "p2", to="c"),
    )
    new = mail("[PATCH v5.1 2/2] KVM: b", "n", to=parent, references="c p2 r", minute=30)
    series = one(new, known=(reviewed(v5),))
    assert (series.version, series.state, series.problems) == (5, SETTLED, ())
    assert series.message_ids == ("c@x", "p1@x", "n@x")


def test_a_part_of_v2_sent_alone_in_answer_to_its_forerunner_takes_its_place() -> None:
    # c
    # ├─ p1 [PATCH 1/2]
    # └─ p2 [PATCH 2/2]
    #    └─ n [PATCH v2 2/2]
    done = reviewed(one(COVER, FIRST, SECOND))
    series = one(mail("[PATCH v2 2/2] KVM: step two", "n", to="p2", references="c p2", minute=30), known=(done,))
    assert (series.version, series.state, series.problems) == (1, SETTLED, ())
    assert series.message_ids == ("c@x", "p1@x", "n@x")


def test_a_whole_v2_in_answer_to_the_cover_is_a_version_of_its_own() -> None:
    done = reviewed(one(COVER, FIRST, SECOND))
    v2 = [mail(f"[PATCH v2 {n}/2] KVM: step {n}", f"n{n}", to="c", minute=30) for n in (1, 2)]
    old, new = grow(*v2, known=(done,)).values()
    assert old == done
    assert (new.version, new.missing, new.thread) == (2, (), done.thread)


def test_a_resend_is_the_same_series_and_changes_nothing() -> None:
    done = reviewed(one(COVER, FIRST, SECOND))
    again = [
        mail("[PATCH RESEND 0/2] KVM: two steps", "c2", body="ping\n", minute=600),
        mail("[PATCH RESEND 1/2] KVM: step one", "q1", to="c2", minute=600, body=patch_text("p1")),
        mail("[PATCH RESEND 2/2] KVM: step two", "q2", to="c2", minute=600, body=patch_text("p2")),
    ]
    series = one(*again, known=(done,))
    assert (series.key, series.state, series.patches) == (done.key, REVIEWED, done.patches)


def test_a_resend_with_another_diff_is_reviewed_again() -> None:
    done = reviewed(one(mail("[PATCH] KVM: a", "s")))
    series = one(mail("[PATCH RESEND] KVM: a", "s2", minute=600), known=(done,))
    assert (series.key, series.state, series.message_ids) == (done.key, SETTLED, ("s2@x",))


def test_two_patches_with_one_number_are_said_and_the_later_counts() -> None:
    twice = [mail("[PATCH 1/2] KVM: a", "a", to="c", minute=1), mail("[PATCH 1/2] KVM: a", "b", to="c", minute=2)]
    for letters in (twice, twice[::-1]):
        series = one(COVER, *letters)
        assert series.message_ids == ("c@x", "b@x")
        assert series.problems == ("patch 1 came twice with other content: the later one counts",)


def test_a_patch_numbered_beyond_the_total_is_kept_and_said() -> None:
    # Kernel people send "[PATCH 3/2]" when something was forgotten.
    series = one(COVER, FIRST, SECOND, mail("[PATCH 3/2] KVM: forgotten", "p3", to="c"))
    assert len(series.patches) == 3
    assert (series.expected, series.state) == (2, SETTLED)
    assert series.problems == ("the subjects number a patch 3 of 2",)


def test_five_thousand_parts_are_capped_with_a_reason() -> None:
    cover = mail("[PATCH 0/5000] KVM: everything", "c", body="x\n")
    parts = [mail(f"[PATCH {n}/5000] KVM: {n}", f"p{n}", to="c") for n in (1, 1000, 1001, 5000)]
    series = one(cover, *parts)
    assert series.expected == MOST_PARTS
    assert [patch.index for patch in series.patches] == [1, 1000, 1001, 5000]  # a stable tree's queue has such numbers
    assert series.problems == ("the subjects announce 5000 parts; 1000 are waited for",)


def test_no_more_patches_than_the_cap_are_kept() -> None:
    letters = [mail(f"[PATCH {n}/5000] KVM: {n}", f"p{n}", to="c") for n in range(1, MOST_PARTS + 3)]
    series = one(*letters)
    assert len(series.patches) == MOST_PARTS
    assert "more than 1000 patches: the others are left out" in series.problems


def test_a_series_as_long_as_the_cap_is_put_together() -> None:
    letters = [mail(f"[PATCH {n}/1000] KVM: {n}", f"p{n}", to="c") for n in range(1, 1001)]
    assert one(*reversed(letters)).state is SETTLED


def test_a_cover_whose_version_differs_from_its_patches_is_joined_by_their_run() -> None:
    run = "20240301120000.77-{}-ann"
    cover = mail("[PATCH v2 0/1] KVM: w", run.format(1), body="x\n")
    part = mail("[PATCH v3 1/1] KVM: a", run.format(2), to=run.format(1))
    for letters in ((cover, part), (part, cover)):
        series = one(*letters)
        assert (series.version, len(series.message_ids)) == (3, 2)
        assert series.problems == ("the subjects disagree: the cover says v2, patches v3",)


def test_a_cover_may_count_itself() -> None:
    cover = mail("[PATCH 0/3] KVM: two steps", "c", body="Hello.\n")
    for letters in ((cover, FIRST, SECOND), (SECOND, FIRST, cover), (FIRST, cover, SECOND)):
        series = one(*letters)
        assert (series.message_ids, series.state) == (("c@x", "p1@x", "p2@x"), SETTLED)
        assert series.problems == ("the subjects disagree: the cover says 3 parts, patches 2",)


def test_a_series_below_the_cover_of_another_stays_one_of_its_own() -> None:
    cover = mail("[PATCH 0/5] KVM: five steps", "c", body="Hello.\n")
    fifth = [mail(f"[PATCH {n}/5] KVM: {n}", f"k{n}", to="c", minute=n) for n in range(1, 6)]
    for letters in ((cover, *fifth, FIRST, SECOND), (FIRST, SECOND, cover, *fifth)):
        series = grow(*letters)
        assert sorted(len(each.message_ids) for each in series.values()) == [2, 6]


def test_only_the_cover_may_say_rfc() -> None:
    cover = mail("[RFC PATCH 0/2] KVM: two steps", "c", body="Hello.\n")
    for letters in ((cover, FIRST, SECOND), (SECOND, FIRST, cover)):
        assert one(*letters).message_ids == ("c@x", "p1@x", "p2@x")


def test_a_patch_series_in_answer_to_its_rfc_is_a_version_of_its_own() -> None:
    rfc = [
        mail("[RFC PATCH 0/1] KVM: w", "c", body="x\n"),
        mail("[RFC PATCH 1/1] KVM: a", "p", to="c"),
    ]
    series = grow(*rfc, mail("[PATCH 1/1] KVM: a", "n", to="c", minute=60))
    assert sorted(one.message_ids for one in series.values()) == [("c@x", "p@x"), ("n@x",)]


def test_somebody_elses_patch_in_the_thread_is_a_series_of_its_own() -> None:
    # c
    # ├─ p1
    # ├─ p2
    # └─ o  [PATCH] by Bob
    series = grow(COVER, FIRST, SECOND, mail("[PATCH] KVM: do it so", "o", to="c", sender=BOB))
    assert sorted(len(one.patches) for one in series.values()) == [1, 2]


def test_an_rfc_of_the_same_number_is_another_version() -> None:
    rfc = mail("[RFC PATCH] KVM: a", "r")
    series = grow(rfc, mail("[PATCH] KVM: a", "s", minute=600))
    assert len(series) == 2
    assert len({one.thread for one in series.values()}) == 1
