"""Versions of one work share a thread; what only hangs in the same mail thread does not."""

from __future__ import annotations

from itertools import permutations

import pytest
from drawing import BOB, mail
from test_series import Letter, grow, reviewed

from bot.model import Series

DAY = 24 * 60


def work(*letters: Letter) -> list[list[int]]:
    """The versions of each thread, threads by their size."""
    threads: dict[str, list[Series]] = {}
    for series in grow(*letters).values():
        threads.setdefault(series.thread, []).append(series)
    return sorted((sorted(one.version for one in series) for series in threads.values()), key=len)


def test_a_reroll_keeps_the_thread_by_author_and_title() -> None:
    # a  [PATCH] KVM: free it later
    # b  [PATCH v2] KVM: Free it later.
    # c  [PATCH v3] KVM: free it later
    letters = [
        mail("[PATCH] KVM: free it later", "a"),
        mail("[PATCH v2] KVM: Free it later.", "b", minute=DAY),
        mail("[PATCH v3] KVM: free it later", "c", minute=2 * DAY),
    ]
    for order in permutations(letters):
        assert work(*order) == [[1, 2, 3]]


def test_a_reroll_of_a_series_keeps_the_thread_by_its_cover() -> None:
    def version(number: int) -> list[Letter]:
        tag, name = f"PATCH v{number}", f"v{number}"
        return [
            mail(f"[{tag} 0/2] KVM: the work", name, body="x\n", minute=number * DAY),
            mail(f"[{tag} 1/2] KVM: a", f"{name}a", to=name, minute=number * DAY + 1),
            mail(f"[{tag} 2/2] KVM: b {number}", f"{name}b", to=name, minute=number * DAY + 2),
        ]

    assert work(*version(1), *version(2), *version(3)) == [[1, 2, 3]]
    assert work(*version(2)[::-1], *version(1)[::-1]) == [[1, 2]]


def test_a_change_id_joins_versions_whose_title_changed() -> None:
    letters = [
        mail("[PATCH 0/1] KVM: old words", "a", body="x\nchange-id: 20240301-w-1\n"),
        mail("[PATCH v2 0/1] KVM: new words", "b", body="x\nchange-id: 20240301-w-1\n", minute=DAY),
    ]
    assert work(*letters) == work(*letters[::-1]) == [[1, 2]]


def test_an_answer_to_the_old_cover_joins_versions_whose_title_changed() -> None:
    # a  [PATCH 0/2] old words
    # └─ b  [PATCH v2 0/2] new words
    old = mail("[PATCH 0/2] KVM: old words", "a", body="x\n")
    new = mail("[PATCH v2 0/2] KVM: new words", "b", to="a", body="x\n", minute=DAY)
    assert work(old, new) == work(new, old) == [[1, 2]]


def test_references_alone_join_nothing() -> None:
    # a  [PATCH 0/2] one thing
    # └─ r  Re: one thing
    #    └─ b  [PATCH v2 0/2] another thing, by the same author
    old = mail("[PATCH 0/2] KVM: one thing", "a", body="x\n")
    new = mail("[PATCH v2 0/2] KVM: another thing", "b", to="r", references="a r", body="x\n", minute=DAY)
    assert work(old, new) == [[1], [2]]


def test_the_same_title_by_somebody_else_is_other_work() -> None:
    mine = mail("[PATCH] KVM: fix typo", "a")
    assert work(mine, mail("[PATCH v2] KVM: fix typo", "b", sender=BOB)) == [[1], [2]]


def test_an_author_with_a_new_address_is_the_same_author() -> None:
    assert work(
        mail("[PATCH] KVM: a", "a", sender="Ann Author <ann@example.org>"),
        mail("[PATCH v2] KVM: a", "b", sender="Ann Author <ann@example.net>"),
    ) == [[1, 2]]


def test_the_same_title_and_version_years_later_is_other_work() -> None:
    assert work(mail("[PATCH] KVM: fixes", "a"), mail("[PATCH] KVM: fixes", "b", minute=400 * DAY)) == [[1], [1]]


def test_a_second_series_in_the_same_mail_thread_is_other_work() -> None:
    # a  [PATCH 0/2]
    # └─ s  [PATCH] by the same author: same version, other title
    first = mail("[PATCH 0/2] KVM: one thing", "a", body="x\n")
    assert work(first, mail("[PATCH] KVM: another thing", "s", to="a")) == [[1], [1]]


def test_a_reviewed_series_keeps_the_thread_that_people_know() -> None:
    """Its chat thread is there already, although the late cover tells that an earlier version has one too."""
    old = [mail("[PATCH 0/1] KVM: w", "a", body="x\n"), mail("[PATCH 1/1] KVM: a", "a1", to="a")]
    (first,) = grow(*old).values()
    (second,) = grow(mail("[PATCH v2 1/1] KVM: b", "b1", to="b", minute=DAY)).values()
    assert first.thread != second.thread
    cover = mail("[PATCH v2 0/1] KVM: w", "b", body="x\n", minute=DAY)
    assert grow(cover, known=(first, second))[second.key].thread == first.thread
    done = reviewed(second)
    assert grow(cover, known=(first, done))[done.key].thread == second.thread


@pytest.mark.parametrize("title", ["", "   ", "[]"])
def test_mails_without_a_title_are_not_versions_of_each_other(title: str) -> None:
    assert work(mail(f"[PATCH]{title}", "a"), mail(f"[PATCH v2]{title}", "b")) == [[1], [2]]
