"""A log line is one line, whatever a mail put into it, and never tells a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot import logs


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs.CHATTY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)
    structlog.reset_defaults()


def logged(style: str = "json", level: str = "info", **fields: object) -> str:
    out = io.StringIO()
    logs.set_up(level, style, out)
    structlog.get_logger("here").info("something happened", **fields)
    return out.getvalue()


def test_an_event_is_a_line_of_json() -> None:
    event = json.loads(logged(series="20260101-x@y", count=3))
    assert (event["event"], event["level"], event["logger"]) == ("something happened", "info", "here")
    assert (event["series"], event["count"]) == ("20260101-x@y", 3)
    assert event["timestamp"].endswith("Z")


def test_an_event_is_a_line_of_keys_and_values_for_people() -> None:
    line = logged("text", title="KVM: x", empty="", count=3)
    assert line.endswith('info    something happened title="KVM: x" empty="" count=3 logger=here\n')


def test_auto_is_json_where_no_person_looks() -> None:
    assert json.loads(logged("auto"))["event"] == "something happened"


def test_what_is_less_important_is_left_out() -> None:
    assert logged(level="warning") == ""


@pytest.mark.parametrize("style", ["json", "text"])
def test_secrets_are_redacted(style: str) -> None:
    line = logged(
        style,
        bot_token="hush",  # noqa: S106  it is none
        error="POST failed with xoxb-1234-abcd and xapp-1-A-2",
        url="postgresql://bot:hunter2@db/gracewatch",
        nested={"Authorization": "Bearer xoxb-5678"},
    )
    assert not any(secret in line for secret in ("hush", "1234", "1-A-2", "hunter2", "5678"))
    assert line.count(logs.REDACTED) == 5


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_hostile_subject_stays_on_its_line(style: str) -> None:
    line = logged(style, subject="x\n2026 error fake\r\u2028\x1b[31mred \udcff \x00")
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line.isprintable() or line[:-1].isprintable()


def test_a_huge_value_is_cut() -> None:
    assert len(logged(body="x" * 10**6)) < 5000


def test_what_a_library_logs_goes_the_same_way() -> None:
    out = io.StringIO()
    logs.set_up("info", "json", out)
    logging.getLogger("some.library").warning("token %s was refused", "xoxb-1234")
    event = json.loads(out.getvalue())
    assert event["event"] == f"token {logs.REDACTED} was refused"
    assert event["logger"] == "some.library"


def test_an_exception_is_told_in_the_same_line() -> None:
    out = io.StringIO()
    logs.set_up("info", "json", out)
    try:
        int("xoxb-1234")
    except ValueError:
        structlog.get_logger().exception("it failed")
    assert out.getvalue().count("\n") == 1
    event = json.loads(out.getvalue())
    assert "ValueError" in event["exception"]
    assert "1234" not in event["exception"]


def test_chatty_libraries_are_quiet_unless_debugging() -> None:
    out = io.StringIO()
    logs.set_up("info", "json", out)
    logging.getLogger("apscheduler.executors.default").info("running job")
    assert out.getvalue() == ""
