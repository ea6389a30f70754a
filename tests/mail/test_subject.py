"""Subjects in the shapes that the lists know."""

from __future__ import annotations

import pytest

from bot.mail import subject
from bot.model import SubjectKind

COVER, PATCH, REPLY, PULL, OTHER = (
    SubjectKind.COVER,
    SubjectKind.PATCH,
    SubjectKind.REPLY,
    SubjectKind.PULL,
    SubjectKind.OTHER,
)


@pytest.mark.parametrize(
    ("text", "kind", "version", "amendment", "index", "total", "tags"),
    [
        ("[PATCH] t", PATCH, 1, 0, None, None, ()),
        ("[patch] t", PATCH, 1, 0, None, None, ()),
        ("[PATCH 3/7] t", PATCH, 1, 0, 3, 7, ()),
        ("[PATCH 00/20] t", COVER, 1, 0, 0, 20, ()),
        ("[PATCH v2 03/7] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCHv2 3/7] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCH-v2 3/7] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCH V2 3/7] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCH v6,19/24] t", PATCH, 6, 0, 19, 24, ()),
        ("[PATCH v4-2/3] t", PATCH, 4, 0, 2, 3, ()),
        ("[PATCH 3/7 v2] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCH 3/7][v2] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCH 3 of 7] t", PATCH, 1, 0, 3, 7, ()),
        ("[RFC PATCH v5.1 10/12] t", PATCH, 5, 1, 10, 12, ("RFC",)),
        ("[RFC/PATCH 1/2] t", PATCH, 1, 0, 1, 2, ("RFC",)),
        ("[PATCH RFC 0/2] t", COVER, 1, 0, 0, 2, ("RFC",)),
        ("[RFC v3 0/2] t", COVER, 3, 0, 0, 2, ("RFC",)),
        ("[RFC] t", PATCH, 1, 0, None, None, ("RFC",)),
        ("[PATCH v3 RESEND 2/4] t", PATCH, 3, 0, 2, 4, ("RESEND",)),
        ("[RESEND PATCH 2/4] t", PATCH, 1, 0, 2, 4, ("RESEND",)),
        ("[REPOST PATCH 2/4] t", PATCH, 1, 0, 2, 4, ("RESEND",)),
        ("[PATCH kvm-unit-tests v2 3/7] t", PATCH, 2, 0, 3, 7, ("kvm-unit-tests",)),
        ("[kvm-unit-tests PATCH v2 3/7] t", PATCH, 2, 0, 3, 7, ("kvm-unit-tests",)),
        ("[PATCH 6.1 001/641] t", PATCH, 1, 0, 1, 641, ("6.1",)),
        ("[v2 3/7] t", PATCH, 2, 0, 3, 7, ()),
        ("[PATCH [RFC] 1/2] t", PATCH, 1, 0, 1, 2, ("RFC",)),
        ("[[PATCH v2 1/3]] t", PATCH, 2, 0, 1, 3, ()),
        ("[PATCH v2] [media] t", PATCH, 2, 0, None, None, ("media",)),
        ("[kvm:queue 3/7] t", OTHER, 1, 0, 3, 7, ("kvm:queue",)),
        ("[linux-next:master 12/3456] t", OTHER, 1, 0, 12, 3456, ("linux-next:master",)),
        ("[ANNOUNCE] t", OTHER, 1, 0, None, None, ("ANNOUNCE",)),
        ("t", OTHER, 1, 0, None, None, ()),
        ("Re: [PATCH v2 3/7] t", REPLY, 2, 0, 3, 7, ()),
        ("RE: Re: [PATCH] t", REPLY, 1, 0, None, None, ()),
        ("Re[4]: [PATCH] t", REPLY, 1, 0, None, None, ()),
        ("AW: [PATCH 00/20] t", REPLY, 1, 0, 0, 20, ()),
        ("Fwd: [PATCH] t", REPLY, 1, 0, None, None, ()),
        ("[kvm] Re: [PATCH v2] t", REPLY, 2, 0, None, None, ("kvm",)),
        ("回复：[PATCH] t", REPLY, 1, 0, None, None, ()),
        ("[GIT PULL] t", PULL, 1, 0, None, None, ()),
        ("[GIT PULL 3/7] t", PULL, 1, 0, 3, 7, ()),
        ("[PULL 00/31] t", PULL, 1, 0, 0, 31, ()),
        ("Re: [GIT PULL] t", REPLY, 1, 0, None, None, ()),
    ],
)
def test_every_shape_is_read(
    text: str,
    kind: SubjectKind,
    version: int,
    amendment: int,
    index: int | None,
    total: int | None,
    tags: tuple[str, ...],
) -> None:
    got = subject.read(text)
    assert got.title == "t"
    assert (got.kind, got.version, got.amendment) == (kind, version, amendment)
    assert (got.index, got.total, got.tags) == (index, total, tags)


def test_a_pull_request_may_say_so_without_brackets() -> None:
    assert subject.read("GIT PULL: KVM fixes").kind is PULL
    assert subject.read("pull-request: kvm 2024-03-01").kind is PULL


@pytest.mark.parametrize(
    "text",
    [
        'Patch "[PATCH] KVM: x" has been added to the 6.1-stable tree',
        'FAILED: patch "[PATCH] KVM: x" failed to apply to 5.4-stable tree',
        "[PATCH v2 3/7 no end",
        "KVM: x86: [PATCH] in the middle",
    ],
)
def test_a_patch_that_is_only_spoken_of_is_none(text: str) -> None:
    assert subject.read(text).kind is OTHER


def test_folded_and_doubled_blanks_are_one() -> None:
    got = subject.read("[PATCH  v2\n 1/2]  KVM:\tx86:  fix")
    assert (got.raw, got.title) == ("[PATCH v2 1/2] KVM: x86: fix", "KVM: x86: fix")


@pytest.mark.parametrize("text", ["", "[]", "[", "]", "[[[[", "Re:", "[PATCH]", "[/]", "[0/0]", "[PATCH 99999999/1] x"])
def test_nonsense_is_read_without_a_word(text: str) -> None:
    assert subject.read(text).raw == text


def test_numbers_too_long_to_be_numbers_are_words() -> None:
    got = subject.read("[PATCH v99999999 123456789/5] x")
    assert (got.version, got.index) == (1, None)


@pytest.mark.parametrize("text", ["[" * 200_000, "Re:" * 100_000, "[PATCH" + " v1" * 100_000 + "]", "[a]" * 50_000])
def test_a_huge_subject_is_read_in_one_go(text: str) -> None:
    assert subject.read(text).raw
