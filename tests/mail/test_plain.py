"""Plain header fields are read as mail-parser reads them, which reads them all when they are not plain."""

from __future__ import annotations

from email.message import Message as Mime

from hypothesis import example, given
from hypothesis import strategies as st
from mailparser import MailParser

from bot.mail import plain
from bot.mail.parse import parse
from bot.model import Message, RawMail


def known(name: str, value: str) -> MailParser:
    head = Mime()
    head[name] = value
    return MailParser(head)


@given(st.from_regex(plain.SENDER, fullmatch=True))
@example("Ann O'Neil-Smith <ann.o-neil+kvm@example.org>")
@example('"Ann Other" <a@b.c>')
@example("<a@b.c>")
def test_a_plain_sender_is_the_one_that_mail_parser_finds(value: str) -> None:
    assert [plain.sender(value)] == known("From", value).from_


@given(st.from_regex(plain.DATE, fullmatch=True))
@example("Tue, 6 Jan 2026 23:59:59 -0030 (PST)")
@example("30 Feb 2026 10:00:00 +0000")
@example("Mon, 29 Feb 1900 10:00:00 +0000")
def test_a_plain_date_is_the_one_that_mail_parser_finds(value: str) -> None:
    found = known("Date", value).date
    told = plain.date(value)
    assert (told.replace(tzinfo=None) if told else None) == (found.replace(tzinfo=None) if found else None)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
@example("[PATCH v2 3/7] KVM: x")
def test_a_plain_subject_is_the_one_that_mail_parser_finds(value: str) -> None:
    told = plain.subject(value)
    if told is None:
        assert "=?" in value
    else:
        assert told == known("Subject", value).subject


@given(st.sampled_from(['"A, B" <a@b.c>', "=?utf-8?q?J=C3=B6rg?= <a@b.c>", "a@b.c (Ann)", "A. B. <a@b.c>", ""]))
def test_what_is_not_plain_is_left_to_mail_parser(value: str) -> None:
    assert plain.sender(value) is None
    read = parse(RawMail("x", "1", f"From: {value}\nSubject: x\nMessage-ID: <a@b>\n\nx\n".encode()))
    assert isinstance(read, Message)
    expected = known("From", value).from_
    assert [(read.sender.name, read.sender.email)] == [expected[0] if expected else ("", "")]
