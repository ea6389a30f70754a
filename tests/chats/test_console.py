"""The console as a chat: what stands on the screen."""

from __future__ import annotations

import io

import pytest

from bot.chats.console import Console
from bot.model import Code, Level, Page, Text
from bot.ports import ChatError

CARD = Page("KVM: walk devices", "https://lore.kernel.org/r/a@b", Level.ERROR, (Text("v1: 1 new"), Text("small", True)))
WARNING = Page("list_del() on kvm.devices", parts=(Code("list_del(&dev->vm_node);"),))


def console(out: io.TextIOBase) -> Console:
    return Console(out, lambda: 40)  # type: ignore[arg-type]


async def test_a_thread_stands_as_a_card_with_indented_replies() -> None:
    out = io.StringIO()
    chat = console(out)
    card = await chat.post("kvm", CARD, thread="", delivery="k1")
    await chat.post("kvm", WARNING, thread=card, delivery="r1")
    assert out.getvalue().splitlines() == [
        "── kvm ─────────────────────────────────",
        "error: KVM: walk devices",
        "https://lore.kernel.org/r/a@b",
        "v1: 1 new",
        "small",
        "",
        "  │ list_del() on kvm.devices",
        "  │     list_del(&dev->vm_node);",
        "",
    ]


async def test_an_edit_shows_the_new_state_in_short() -> None:
    out = io.StringIO()
    chat = console(out)
    card = await chat.post("kvm", CARD, thread="", delivery="k1")
    out.truncate(0)
    out.seek(0)
    await chat.edit("kvm", card, Page("KVM: walk devices", parts=(Text("v3: 2 fixed"), Text("small", True))))
    assert out.getvalue().splitlines()[1:] == ["~ KVM: walk devices", "~ v3: 2 fixed", ""]


async def test_the_same_delivery_has_the_same_id_in_every_process() -> None:
    first, second = console(io.StringIO()), console(io.StringIO())
    ids = {await chat.post("kvm", CARD, thread="", delivery="k1") for chat in (first, second)}
    assert len(ids) == 1
    assert await first.post("other", CARD, thread="", delivery="k1") not in ids


async def test_an_ascii_terminal_gets_question_marks_and_no_crash() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    await console(out).post("kvm", Page("王"), thread="", delivery="k1")
    out.flush()
    assert b"?" in raw.getvalue()


async def test_a_closed_console_is_a_chat_error_and_unhealthy() -> None:
    out = io.StringIO()
    chat = console(out)
    out.close()
    assert not chat.healthy()
    with pytest.raises(ChatError, match="cannot be written to"):
        await chat.post("kvm", CARD, thread="", delivery="k1")
