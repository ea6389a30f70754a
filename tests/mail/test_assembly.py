"""A heap of mails gives the same series in whatever order it is given, and one by one as well as all at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from drawing import BOB, mail, patch_text
from hypothesis import given
from hypothesis import strategies as st

from bot.mail.assembly import Assembly, Letter, assemble
from bot.model import Series, SeriesState

NOW = datetime(2024, 4, 1, tzinfo=UTC)
DAY = 24 * 60

# v1   [PATCH 0/3]             w1..w3 below it, deep threading, the last one missing from one list and so twice
# v2   [PATCH v2 0/3]          no References to v1
# ├─ a1..a3                    r answers a2, a2.1 is [PATCH v2.1 2/3]
# s    [PATCH] by Bob          s2 [PATCH v2] in answer to it, s3 [PATCH RESEND v2], the same diff
# rfc  [RFC PATCH 0/1]         then [PATCH 0/1] with the same title
# u1, u2  [PATCH n/2]          no threading at all
# g    [GIT PULL]
HEAP: list[Letter] = [
    mail("[PATCH 0/3] KVM: the work", "v1", body="x\n"),
    mail("[PATCH 1/3] KVM: a", "w1", to="v1", minute=1),
    mail("[PATCH 2/3] KVM: b", "w2", to="w1", references="v1 w1", minute=2),
    mail("[PATCH 3/3] KVM: c", "w3", to="w2", references="v1 w1 w2", minute=3),
    mail("[PATCH 3/3] KVM: c", "w3", to="w2", references="v1 w1 w2", minute=3),
    mail("[PATCH v2 0/3] KVM: the work", "v2", body="x\n", minute=DAY),
    mail("[PATCH v2 1/3] KVM: a", "a1", to="v2", minute=DAY + 1),
    mail("[PATCH v2 2/3] KVM: b", "a2", to="v2", minute=DAY + 2),
    mail("[PATCH v2 3/3] KVM: c", "a3", to="v2", minute=DAY + 3),
    mail("Re: [PATCH v2 2/3] KVM: b", "r", to="a2", references="v2 a2", sender=BOB, minute=DAY + 4, body="no\n"),
    mail("[PATCH v2.1 2/3] KVM: b", "a2.1", to="r", references="v2 a2 r", minute=DAY + 5),
    mail("[PATCH] KVM: alone", "s", sender=BOB, minute=10),
    mail("[PATCH v2] KVM: alone", "s2", to="s", sender=BOB, minute=20, body=patch_text("same")),
    mail("[PATCH RESEND v2] KVM: alone", "s3", sender=BOB, minute=30, body=patch_text("same")),
    mail("[RFC PATCH 0/1] KVM: idea", "rfc", sender=BOB, body="x\n"),
    mail("[RFC PATCH 1/1] KVM: idea one", "rfc1", to="rfc", sender=BOB, minute=1),
    mail("[PATCH 0/1] KVM: idea", "real", sender=BOB, minute=3 * DAY, body="x\n"),
    mail("[PATCH 1/1] KVM: idea one", "real1", to="real", sender=BOB, minute=3 * DAY + 1),
    mail("[PATCH 1/2] KVM: loose one", "u1", minute=5 * DAY),
    mail("[PATCH 2/2] KVM: loose two", "u2", minute=5 * DAY + 1),
    mail("[GIT PULL] KVM fixes", "g", minute=6 * DAY),
]


def grouped(series: tuple[Series, ...]) -> set[frozenset[tuple[int, tuple[str, ...]]]]:
    """Threads as sets of (version, message-ids)."""
    threads: dict[str, set[tuple[int, tuple[str, ...]]]] = {}
    for one in series:
        threads.setdefault(one.thread, set()).add((one.version, one.message_ids))
    return {frozenset(versions) for versions in threads.values()}


EXPECTED = {
    frozenset(
        {(1, ("v1@x", "w1@x", "w2@x", "w3@x")), (2, ("v2@x", "a1@x", "a2.1@x", "a3@x"))},
    ),
    frozenset({(1, ("s@x",)), (2, ("s2@x",))}),
    frozenset({(1, ("rfc@x", "rfc1@x")), (1, ("real@x", "real1@x"))}),
    frozenset({(1, ("u1@x", "u2@x"))}),
}


@given(st.permutations(range(len(HEAP))))
def test_any_order_gives_the_same_series(order: list[int]) -> None:
    series = assemble([HEAP[at] for at in order], NOW)
    assert series == assemble(HEAP, NOW)
    assert grouped(series) == EXPECTED
    assert all(one.state is SeriesState.SETTLED for one in series)


@given(st.permutations([at for at, letter in enumerate(HEAP) if not letter[0].subject.amendment]))
def test_mail_by_mail_any_order_gives_the_same_parts(order: list[int]) -> None:
    """A feed cannot be sorted: covers after patches, version 2 before version 1, what was sent last first."""
    assembly = Assembly()
    for at in order:
        assembly.add(*HEAP[at], NOW, timedelta(hours=1))
    plain = {frozenset((v, tuple(i.replace("a2.1", "a2") for i in ids)) for v, ids in one) for one in EXPECTED}
    assert grouped(assembly.settled(NOW)) == plain


def test_a_reply_is_found_even_when_it_is_older_than_its_patch_by_a_wrong_clock() -> None:
    patch = mail("[PATCH] KVM: a", "p", minute=10)
    reply = mail("Re: [PATCH] KVM: a", "r", to="p", sender=BOB, minute=5, body="no\n")
    (series,) = assemble([reply, patch], NOW)
    assert [one.id for one in series.replies] == ["r@x"]


def test_thousands_of_mails_of_one_title_are_put_together() -> None:
    message, patch = mail("[PATCH] KVM: fix typo", "t")
    assert patch is not None
    many = [replace(message, id=f"t{number}@x") for number in range(1000)]
    assert len(assemble([(one, replace(patch, message=one)) for one in many], NOW)) == 1000


def test_nothing_gives_nothing() -> None:
    assert assemble([], NOW) == ()
