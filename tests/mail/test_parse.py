"""One mail in: its people, its time, its place among other mails, and its exact text."""

from __future__ import annotations

import base64
import quopri
from datetime import UTC, datetime
from email.encoders import encode_base64
from email.message import Message as Mime
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from drawing import ANN, diff, patch_text, raw

from bot.mail import patch as patches
from bot.mail.parse import parse
from bot.model import Address, Message, RawMail, SubjectKind, Unreadable

# A patch with everything that mail likes to spoil: tabs, trailing blanks, CR at line ends, a long line, bytes >= 128.
DELICATE = patch_text().replace("\tfirst();", "\tfirst();\t  ").replace("\tlast();", '\tlast("café Ω");\r') + "=" * 200


def message(data: bytes | RawMail) -> Message:
    got = parse(data if isinstance(data, RawMail) else RawMail("test", "1", data))
    assert isinstance(got, Message), got
    return got


def encoded(body: bytes, encoding: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"From: {ANN}\nSubject: [PATCH] x\nDate: Fri, 1 Mar 2024 12:00:00 +0000\nMessage-ID: <1@x>\n"
    head += f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n"
    return head.encode() + body


def test_a_mail_is_read_whole() -> None:
    got = message(
        raw(
            "[PATCH v2 1/2] KVM: free later",
            "part-1",
            to="cover",
            references="old cover",
            header="Cc: linux-kernel@vger.kernel.org, Bob <bob@example.net>,\n\trcu@vger.kernel.org",
        )
    )
    assert got.id == "part-1@x"
    assert (got.subject.kind, got.subject.title) == (SubjectKind.PATCH, "KVM: free later")
    assert got.sender == Address("Ann Author", "ann@example.org")
    assert got.sent_at == datetime(2024, 3, 1, 12, tzinfo=UTC)
    assert got.lists == ("kvm@vger.kernel.org", "linux-kernel@vger.kernel.org", "rcu@vger.kernel.org")
    assert got.parents == ("cover@x", "old@x")
    assert got.body == got.patch_text == patch_text("part-1")
    assert got.problems == ()


def test_the_list_id_names_the_list() -> None:
    got = message(raw("x", "1", header="List-Id: KVM on ARM <kvmarm.lists.linux.dev>"))
    assert got.lists == ("kvm@vger.kernel.org", "kvmarm@lists.linux.dev")


def quoted(body: bytes) -> bytes:
    """Quoted-printable as mailers write it; the library's encoder would drop a lone CR."""
    return quopri.encodestring(body.replace(b"\r", b"\1")).replace(b"=01", b"=0D")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("8bit", DELICATE.encode()),
        ("quoted-printable", quoted(DELICATE.encode())),
        ("base64", base64.encodebytes(DELICATE.encode())),
        ("BASE64 ", base64.encodebytes(DELICATE.encode())),
    ],
)
def test_every_encoding_gives_back_the_exact_bytes(encoding: str, body: bytes) -> None:
    got = message(encoded(body, encoding))
    assert got.body.encode("utf-8", "surrogateescape") == DELICATE.encode()
    assert got.patch_text == got.body
    patch = patches.of(got)
    assert patch is not None
    assert patch.files[0].hunks[0].lines[0] == " \tfirst();\t  "


def test_bytes_of_another_charset_are_kept_as_they_are() -> None:
    body = patch_text().replace("Why", "Wörk").encode("latin-1")
    got = message(encoded(body, "8bit", "text/plain; charset=iso-8859-1"))
    assert got.body.encode("utf-8", "surrogateescape") == body


def test_text_is_not_normalised() -> None:
    body = "e\u0301 and \u2126 stay two code points and an ohm sign\n"
    assert message(encoded(body.encode(), "8bit")).body == body


def test_a_charset_that_is_no_superset_of_ascii_is_transcoded() -> None:
    got = message(encoded(base64.encodebytes(patch_text().encode("utf-16")), "base64", "text/plain; charset=utf-16"))
    assert got.body == patch_text()


def test_wire_line_ends_are_not_the_patchs() -> None:
    wire = raw("[PATCH] x", "1").data.replace(b"\n", b"\r\n")
    assert message(wire).body == patch_text("1")


def test_line_ends_inside_an_encoded_part_are_the_patchs() -> None:
    body = patch_text().replace("\n", "\r\n").encode()
    got = message(encoded(base64.encodebytes(body), "base64"))
    assert got.body.encode() == body


def attached(*parts: Mime) -> bytes:
    whole = MIMEMultipart()
    whole["From"], whole["Subject"], whole["Message-ID"] = ANN, "[PATCH] x", "<1@x>"
    whole["Date"] = "Fri, 1 Mar 2024 12:00:00 +0000"
    for part in parts:
        whole.attach(part)
    return whole.as_bytes()


def patch_file(text: str, name: str = "0001-x.patch", kind: str = "x-patch") -> Mime:
    # Not MIMEText: how it encodes is in a table of the process that any library may change.
    part = MIMEBase("text", kind, charset="utf-8")
    part.set_payload(text.encode())
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def test_an_attached_patch_is_found() -> None:
    got = message(attached(MIMEText("Please see the attachment.\n"), patch_file(DELICATE)))
    assert got.body == "Please see the attachment.\n"
    assert got.patch_text.encode() == DELICATE.encode()


def test_two_attached_patches_are_both_read() -> None:
    got = message(
        attached(MIMEText("two\n"), patch_file(patch_text()), patch_file(f"Second.\n---\n{diff(path='mm/b.c')}"))
    )
    patch = patches.of(got)
    assert patch is not None
    assert [file.path for file in patch.files] == ["virt/kvm/kvm_main.c", "mm/b.c"]
    assert "2 attached patches are read as one" in got.problems


def test_the_text_beside_html_is_what_is_read() -> None:
    got = message(attached(MIMEText(patch_text()), MIMEText("<pre>diff --git a/x b/x</pre>", "html")))
    assert got.patch_text == patch_text()


def test_html_alone_carries_no_patch() -> None:
    got = message(attached(MIMEText(diff(), "html")))
    assert got.patch_text == ""
    assert got.problems == ("only HTML: a diff in it is not read",)


def test_a_forwarded_mail_is_not_opened() -> None:
    inner = Mime()
    inner["Subject"] = "[PATCH] inner"
    inner.set_payload(patch_text())
    whole = Mime()
    whole["Content-Type"] = "message/rfc822"
    whole.set_payload([inner])
    assert message(attached(MIMEText("fyi\n"), whole)).patch_text == ""


def test_an_encoded_subject_and_name_are_decoded() -> None:
    got = message(
        b"From: =?utf-8?q?Ren=C3=A9_M?= <Rene@Example.org>\n"
        b"Subject: =?utf-8?B?W1BBVENIXSBLVk06IMOkbmRlcg==?=\n =?utf-8?q?ung?=\nMessage-ID: <1@x>\n\nx\n"
    )
    assert got.sender == Address("René M", "rene@example.org")
    assert (got.subject.kind, got.subject.title) == (SubjectKind.PATCH, "KVM: änderung")


@pytest.mark.parametrize("word", ["=?utf-8?B?QUFBQ?=", "=?nul\0l?q?a?=", "=?utf-8?B?5ou\u00d4?="])
def test_a_broken_encoded_word_costs_neither_the_mail_nor_a_line_in_the_log(
    word: str, caplog: pytest.LogCaptureFixture
) -> None:
    got = message(raw(f"[PATCH] {word}", "1", sender=f"{word} <ann@example.org>"))
    assert got.subject.kind is SubjectKind.PATCH
    assert got.sender.email == "ann@example.org"
    assert got.problems == ("an encoded header field is broken and was taken as it stands",)
    assert caplog.records == []


@pytest.mark.parametrize("raw_name", ["Jörg".encode(), "Jörg".encode("latin-1")])
def test_raw_bytes_in_a_header_are_read_as_utf8_or_latin1(raw_name: bytes) -> None:
    got = message(b"From: " + raw_name + b" <j@example.org>\nSubject: by " + raw_name + b"\nMessage-ID: <1@x>\n\nx\n")
    assert got.sender.name == "Jörg"
    assert got.subject.title == "by Jörg"


def test_control_characters_do_not_reach_the_subject() -> None:
    got = message(b"From: a@b.c\nSubject: [PATCH] one\x00two\x1b[31m\x07\nMessage-ID: <1@x>\n\nx\n")
    assert got.subject.title.isprintable()


@pytest.mark.parametrize(
    ("date", "received", "expected", "problem"),
    [
        ("Fri, 1 Mar 2024 13:00:00 +0100", "", datetime(2024, 3, 1, 12, tzinfo=UTC), ""),
        ("Thu, 1 Jan 1970 00:00:00 +0000", "", None, "the date 1970-01-01 cannot be right"),
        ("Tue, 1 Sep 2099 00:00:00 +0000", "", None, "the date 2099-09-01 cannot be right"),
        (
            "Tue, 1 Sep 2048 00:00:00 +0000",
            "Received: from a by b; Fri, 1 Mar 2024 12:00:00 +0000\n",
            datetime(2024, 3, 1, 12, tzinfo=UTC),
            "the date 2048-09-01 cannot be right: the time of receipt is taken",
        ),
        ("yesterday", "", None, "no date"),
        (
            "",
            "Received: from a by b; Fri, 1 Mar 2024 12:00:00 +0000\n",
            datetime(2024, 3, 1, 12, tzinfo=UTC),
            "no date: the time of receipt is taken",
        ),
        ("Fri, 99 Mar 2024 12:00:00 +0000", "", None, "no date"),
    ],
)
def test_a_lying_date_is_not_believed(date: str, received: str, expected: datetime | None, problem: str) -> None:
    said = f"Date: {date}\n" if date else ""
    got = message(f"{received}From: a@b.c\nSubject: x\nMessage-ID: <1@x>\n{said}\nx\n".encode())
    assert got.sent_at == expected
    assert got.problems == ((problem,) if problem else ())


def test_a_mail_without_message_id_is_kept_under_one_made_from_its_content() -> None:
    without = raw("[PATCH] x", "1").data.replace(b"Message-ID: <1@x>\n", b"")
    one = message(without)
    other_list = message(without.replace(b"To: kvm@", b"To: rcu@"))
    another = message(without.replace(b"Why", b"Because"))
    assert one.id == other_list.id != another.id
    assert one.problems == ("no Message-ID: one was made from its content",)
    assert patches.of(one) is not None


def test_a_repeated_message_id_is_said_and_the_first_counts() -> None:
    got = message(raw("[PATCH] x", "1", header="Message-ID: <2@x>"))
    assert got.id == "1@x"
    assert got.problems == ("message-id is there 2 times: the first counts",)


def test_a_mail_that_answers_itself_has_no_parent() -> None:
    assert message(raw("Re: x", "1", to="1")).parents == ()


def test_a_change_id_is_read() -> None:
    assert message(raw("[PATCH 0/1] x", "1", body="Hello.\n\n---\nchange-id: 20240301-later-1\n")).change_id == (
        "20240301-later-1"
    )


def test_a_bare_diff_is_a_patch_by_nobody() -> None:
    got = message(diff().encode())
    assert (got.subject.kind, got.sender, got.sent_at) == (SubjectKind.PATCH, Address("", ""), None)
    assert patches.of(got) is not None
    assert got.problems == ("no mail header: a bare diff",)


def test_what_git_format_patch_writes_is_read() -> None:
    text = f"From 0123456789abcdef Mon Sep 17 00:00:00 2001\nFrom: {ANN}\nSubject: [PATCH] x\n\n{patch_text()}"
    got = message(text.encode())
    assert got.sender.email == "ann@example.org"
    assert patches.of(got) is not None


def test_an_automatic_answer_and_a_hint_are_said() -> None:
    got = message(raw("Re: x", "1", header="Auto-Submitted: auto-replied\nX-Patchwork-Hint: ignore"))
    assert got.problems == ("x-patchwork-hint: ignore", "auto-submitted: auto-replied")


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"\x7fELF" + bytes(range(256)) * 20, b"hello\n", b"\x00" * 100, b"a: b\n\nc\n"]
)
def test_what_is_no_mail_is_unreadable_with_a_cure(data: bytes) -> None:
    got = parse(RawMail("feed", "7", data))
    assert isinstance(got, Unreadable)
    assert got.source == "feed 7"
    assert got.reason
    assert got.cure
