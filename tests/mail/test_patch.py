"""Which messages carry a patch, and what mail programs did to it on the way."""

from __future__ import annotations

import base64

import pytest
from drawing import diff, mail, patch_text

SIX = "".join(f" \tline{n}();\n" for n in range(6))
LONG = diff().replace(" \tfirst();\n", SIX).replace("@@ -10,3 +10,3 @@", "@@ -10,8 +10,8 @@")
FLOWED = "Content-Type: text/plain; charset=utf-8; format=flowed"


def test_a_patch_carries_its_files_trailers_and_base() -> None:
    sha = "0123456789abcdef0123456789abcdef01234567"
    body = patch_text().replace("-- \n", f"base-commit: {sha}\nprerequisite-patch-id: {sha[::-1]}\n-- \n")
    _, patch = mail("[PATCH 2/3] x", "1", body=body)
    assert patch is not None
    assert (patch.index, patch.base_commit, patch.prerequisites) == (2, sha, (sha[::-1],))
    assert [one.name for one in patch.trailers][:1] == ["Signed-off-by"]
    assert [file.path for file in patch.files] == ["virt/kvm/kvm_main.c"]
    assert patch.problems == ()


@pytest.mark.parametrize(
    "subject", ["[PATCH 0/2] x", "Re: [PATCH 1/2] x", "[GIT PULL] x", "[PULL 3/9] x", "Fwd: [PATCH] x"]
)
def test_covers_answers_and_pull_requests_carry_none(subject: str) -> None:
    assert mail(subject, "1")[1] is None


def test_a_reply_with_hunks_is_no_patch() -> None:
    body = "".join(f"> {line}\n" for line in diff().splitlines()) + "No: this must wait.\n"
    assert mail("Re: [PATCH] x", "1", body=body)[1] is None


def test_a_new_version_sent_as_an_answer_is_a_patch() -> None:
    assert mail("[PATCH v2] x", "2", to="1")[1] is not None


def test_a_diff_under_a_subject_without_patch_counts() -> None:
    assert mail("KVM: free later", "1", body=diff())[1] is not None
    assert mail("[tip: core/rcu] KVM: free later", "2", to="1")[1] is not None


def test_a_diff_in_an_answer_is_a_suggestion_unless_it_is_signed_off() -> None:
    assert mail("KVM: better so", "2", to="1", body=f"What about\n\n{diff()}")[1] is None


def test_a_patch_subject_without_a_diff_is_no_patch() -> None:
    assert mail("[PATCH] x", "1", body="I forgot to attach it.\n")[1] is None


def test_a_patch_whose_diff_is_refused_is_still_counted() -> None:
    _, patch = mail("[PATCH] x", "1", body=diff(path="../x"))
    assert patch is not None
    assert patch.files == ()
    assert "outside the tree" in patch.problems[0]


def test_flowed_text_that_did_no_harm_is_read_as_it_is() -> None:
    message, patch = mail("[PATCH] x", "1", header=FLOWED)
    assert message.problems == ("format=flowed",)
    assert patch is not None
    assert patch.problems == ()


def test_stuffed_lines_are_put_back_and_said() -> None:
    """A program that sends format=flowed puts a blank before every line that begins with one."""
    stuffed = "".join(f" {line}\n" if line.startswith(" ") else f"{line}\n" for line in LONG.splitlines())
    _, plain = mail("[PATCH] x", "1", body=LONG)
    _, patch = mail("[PATCH] x", "2", body=stuffed, header=FLOWED)
    assert patch is not None
    assert plain is not None
    assert patch.files == plain.files
    assert patch.problems == ("the diff was sent as format=flowed and was put back as RFC 3676 says",)


def test_stuffed_lines_without_the_word_flowed_are_only_said() -> None:
    stuffed = "".join(f" {line}\n" if line.startswith(" ") else f"{line}\n" for line in LONG.splitlines())
    _, patch = mail("[PATCH] x", "1", body=stuffed)
    assert patch is not None
    assert patch.problems == ("mangled: every unchanged line begins with a blank too many",)


def test_wrapped_flowed_lines_that_cannot_be_put_back_are_said() -> None:
    wrapped = LONG.replace("+\tnew();\n", "+\tnew(\nof, a, line);\n")
    _, patch = mail("[PATCH] x", "1", body=wrapped, header=FLOWED)
    assert patch is not None
    assert patch.files[0].hunks == ()
    assert any(problem.startswith("mangled: the diff was sent as format=flowed") for problem in patch.problems)


def test_softly_broken_lines_are_joined() -> None:
    stuffed = "".join(f" {line}\n" if line.startswith(" ") else f"{line}\n" for line in LONG.splitlines())
    wrapped = stuffed.replace("+\tnew();\n", "+\tnew(one, \ntwo);\n")
    _, patch = mail("[PATCH] x", "1", body=wrapped, header=FLOWED)
    assert patch is not None
    assert "+\tnew(one, two);" in patch.files[0].hunks[0].lines


def encoded(text: str) -> str:
    return base64.encodebytes(text.encode()).decode()


def test_a_patch_sent_with_crlf_throughout_is_read_as_lf() -> None:
    header = "Content-Transfer-Encoding: base64"
    message, patch = mail("[PATCH] x", "1", body=encoded(patch_text().replace("\n", "\r\n")), header=header)
    assert "\r\n" in message.body
    assert patch is not None
    assert patch.files[0].hunks[0].lines == (" \tfirst();", "-\told();", "+\tnew();", " \tlast();")
    assert [one.name for one in patch.trailers] == ["Signed-off-by"]


def test_a_patch_of_a_crlf_file_keeps_its_cr() -> None:
    body = patch_text().replace("();\n", "();\r\n")
    _, patch = mail("[PATCH] x", "1", body=encoded(body), header="Content-Transfer-Encoding: base64")
    assert patch is not None
    assert patch.files[0].hunks[0].lines[1] == "-\told();\r"


def test_tabs_that_became_blanks_are_said() -> None:
    _, patch = mail("[PATCH] x", "1", body=LONG.replace("\t", " " * 8))
    assert patch is not None
    assert patch.problems == ("mangled: no tab is left in the diff, blanks took their place",)


def test_a_clear_signed_patch_is_read_without_its_dashes() -> None:
    signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + "".join(
        f"- {line}\n" if line.startswith("-") else f"{line}\n" for line in patch_text().splitlines()
    )
    _, patch = mail(
        "[PATCH] x", "1", body=signed + "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )
    assert patch is not None
    assert patch.problems == ()
    assert "-\told();" in patch.files[0].hunks[0].lines
