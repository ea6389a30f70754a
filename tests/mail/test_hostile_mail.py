"""Mail made to break a reader: each ends with a reason or a message, and quickly."""

from __future__ import annotations

import base64

import pytest
from drawing import ANN, patch_text, raw
from hypothesis import given
from hypothesis import strategies as st

from bot.mail import patch as patches
from bot.mail.parse import parse
from bot.model import Message, RawMail, Unreadable

HEAD = f"From: {ANN}\nSubject: [PATCH] x\nMessage-ID: <1@x>\nDate: Fri, 1 Mar 2024 12:00:00 +0000\n".encode()
MULTI = HEAD + b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'


def refused(data: bytes) -> str:
    got = parse(RawMail("feed", "1", data))
    assert isinstance(got, Unreadable)
    assert got.cure
    return got.reason


def accepted(data: bytes) -> Message:
    got = parse(RawMail("feed", "1", data))
    assert isinstance(got, Message), got
    return got


def nested(depth: int) -> bytes:
    parts = [f'--b{n}\nContent-Type: multipart/mixed; boundary="b{n + 1}"\n\n' for n in range(depth)]
    return HEAD + b'Content-Type: multipart/mixed; boundary="b0"\n\n' + "".join(parts).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEAD + b"\n" + b"x" * 50_000_000, "it is 50.0 MB"),
        (HEAD + b"X-Long: " + b"a" * 300_000 + b"\n\nx", "its header is"),
        (HEAD + b"".join(b"X-%d: a\n" % n for n in range(40_000)) + b"\nx", "its header is"),
        (MULTI + b"--b\n\n\n" * 50_000, "it has 50000 MIME parts"),
        (nested(2000), "it nests 2001 multipart bodies"),
        (HEAD + b'Content-Type: text/plain; x="' + b";" * 100_000 + b'"\n\nx', "a content header field in it"),
        (MULTI + b'--b\nContent-Type: text/plain; x="' + b";" * 100_000 + b'"\n\nx\n--b--\n', "a content header field"),
        (MULTI + b"--b\nContent-Type: message/delivery-status\n\n" + b"\n" * 400_000, "it is a delivery report"),
        (
            HEAD + b"Content-Type: multipart/mixed; boundary*=us-ascii''b\n\n" + b"--b\n\n\n" * 50_000,
            "it has 50000 MIME parts",
        ),
    ],
)
def test_what_costs_too_much_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    assert refused(data).startswith(reason)


@pytest.mark.parametrize(
    "header",
    [
        "To: " + ", ".join(f"p{n}@vger.kernel.org" for n in range(5000)),
        "Cc: " + "a" * 60_000,
        "References: " + "<" * 60_000,
        "References: " + " ".join(f"<{n}@x>" for n in range(9000)),
        "Subject: =?utf-8?B?" + "QUFB" * 25_000 + "?=",
        "Subject: " + "=?utf-8?q?a?= " * 10_000,
        "From: " + "(" * 60_000,
        "From: " + '"' * 60_000,
        "From: " + "a@" * 30_000,
        "Date: " + "(" * 60_000,
        "Date: " + "9" * 60_000,
        "List-Id: <" + "." * 60_000,
        "Received: ;" + "9" * 60_000,
    ],
)
def test_a_header_made_to_stall_a_parser_does_not(header: str) -> None:
    name = header.partition(":")[0].encode()
    rest = b"".join(line + b"\n" for line in HEAD.splitlines() if not line.startswith(name + b":"))
    got = accepted(header.encode() + b"\n" + rest + b"\nx\n")
    assert len(got.parents) <= 200


def test_nul_bytes_are_kept_and_said() -> None:
    got = accepted(HEAD + b"\n" + patch_text("a\0b").encode())
    assert "\0" in got.body
    assert got.problems == ("NUL bytes in the text",)
    assert patches.of(got) is not None


def test_truncated_base64_is_read_as_far_as_it_goes() -> None:
    whole = base64.encodebytes(patch_text().encode())
    got = accepted(HEAD + b"Content-Transfer-Encoding: base64\n\n" + whole[: len(whole) // 2 - 1])
    assert patch_text().startswith(got.body)
    assert got.body
    assert got.problems == ("truncated base64: what was there is read",)


def test_a_truncated_mail_says_what_is_missing() -> None:
    text = patch_text()
    got = accepted(HEAD + b"\n" + text[: text.index("+\tnew")].encode())
    patch = patches.of(got)
    assert patch is not None
    assert "not what its header says" in patch.problems[0]


def test_a_mail_cut_in_its_header_is_still_a_mail() -> None:
    assert accepted(HEAD[:90]).body == ""


def test_a_multipart_without_parts_is_read_as_text() -> None:
    got = accepted(HEAD + b"Content-Type: multipart/mixed\n\n" + patch_text().encode())
    assert patches.of(got) is not None


def test_a_binary_body_is_a_message_without_patch() -> None:
    got = accepted(HEAD + b"Content-Type: application/octet-stream\n\n" + bytes(range(256)) * 100)
    assert patches.of(got) is None


def test_a_hundred_thousand_line_diff_is_read() -> None:
    lines = "".join(f"+\tline({number});\n" for number in range(100_000))
    text = (
        "x\n---\ndiff --git a/big.c b/big.c\nnew file mode 100644\n--- /dev/null\n+++ b/big.c\n@@ -0,0 +1,100000 @@\n"
    )
    patch = patches.of(accepted(HEAD + b"\n" + (text + lines).encode()))
    assert patch is not None
    assert patch.files[0].added == 100_000
    assert patch.problems == ()


def test_addresses_and_ids_with_markup_stay_data() -> None:
    got = accepted(
        b'From: "<!channel> `x`" <a@b.c>\nSubject: [PATCH] <!here> ```rm```\nMessage-ID: <<script>@x>\n\nx\n'
    )
    assert got.subject.title == "<!here> ```rm```"
    assert got.id


@given(st.binary(max_size=600))
def test_no_bytes_make_the_parser_raise(data: bytes) -> None:
    got = parse(RawMail("feed", "1", data))
    assert isinstance(got, (Message, Unreadable))
    got = parse(RawMail("feed", "1", HEAD + data))
    if isinstance(got, Message):
        patches.of(got)


FIELDS = ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Date", "From", "References", "List-Id"]


@given(st.sampled_from(FIELDS), st.text(max_size=80), st.binary(max_size=200))
def test_no_field_makes_the_parser_raise(name: str, value: str, body: bytes) -> None:
    field = f"{name}: {value}\n".encode("utf-8", "surrogatepass")
    got = parse(RawMail("feed", "1", b"Subject: [PATCH] x\n" + field + b"\n" + body))
    assert isinstance(got, (Message, Unreadable))
    if isinstance(got, Message):
        assert got.subject.title.encode("utf-8") or True
        assert got.sender.name.encode("utf-8") is not None


def test_the_same_bytes_give_the_same_message() -> None:
    assert parse(raw("[PATCH] x", "1")) == parse(raw("[PATCH] x", "1"))
