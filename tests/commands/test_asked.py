"""Words to the bot: which are answered, by which command, and who sees the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.commands.world import CARD, Bot, bot


@pytest.fixture
async def gracewatch(tmp_path: Path) -> AsyncIterator[Bot]:
    async with bot(tmp_path) as it:
        yield it


async def test_an_answer_is_private_unless_asked_to_be_here(gracewatch: Bot) -> None:
    quiet, loud = await gracewatch.hear("status"), await gracewatch.hear("status --here")
    assert quiet is not None
    assert loud is not None
    assert (quiet.private, loud.private) == (True, False)


async def test_no_words_are_a_cry_for_help(gracewatch: Bot) -> None:
    assert "What you can ask" in await gracewatch.say("")


async def test_the_commands_own_name_in_front_is_forgiven(gracewatch: Bot) -> None:
    assert "gracewatch is at work" in await gracewatch.say("rcu status")


@pytest.mark.parametrize("words", ["Status", "stats", "STATUS?", "health", "status:"])
async def test_aliases_case_and_punctuation_are_forgiven(gracewatch: Bot, words: str) -> None:
    assert "gracewatch is at work" in await gracewatch.say(words)


async def test_an_unknown_word_gets_the_nearest_command(gracewatch: Bot) -> None:
    assert "There is no command 'explian'; the nearest is `explain [RULE]`." in await gracewatch.say("explian x")


async def test_gibberish_gets_a_pointer_to_help(gracewatch: Bot) -> None:
    assert "`help` shows what there is" in await gracewatch.say("qqqqq" * 1000)


async def test_a_reply_in_a_thread_of_ours_is_answered(gracewatch: Bot) -> None:
    assert await gracewatch.hear("explain", place=CARD, addressed=False) is not None


async def test_a_reply_in_somebody_elses_thread_is_not(gracewatch: Bot) -> None:
    assert await gracewatch.hear("explain", place="1.2", addressed=False) is None


CHATTER = [
    "what do you think?", "status of v3?", "series looks good to me", "lol", "help me out", "right", "wrong!",
    "ignore that", "fp?", "ack?", "open question: why?", "mute button?", "me too", "undo it", "useful", "show me", "",
    "watch out", "quote?",
]  # fmt: skip


@pytest.mark.parametrize("words", CHATTER)
async def test_people_may_talk_to_each_other_in_a_thread(gracewatch: Bot, words: str) -> None:
    assert await gracewatch.hear(words, place=CARD, addressed=False) is None
    async with gracewatch.store.transaction() as work:
        assert await work.deeds(9) == ()


@pytest.mark.parametrize("words", ["ack", "FP the list is private", "wontfix", "reopen"])
async def test_a_verdict_may_be_a_plain_reply_in_the_thread(gracewatch: Bot, words: str) -> None:
    reply = await gracewatch.hear(words, place=CARD, addressed=False)
    assert reply is not None
    assert "list_del() on kvm.devices" in reply.page.headline


async def test_the_same_event_is_answered_once(gracewatch: Bot) -> None:
    assert await gracewatch.hear("help", event="message C1 1.2") is not None
    assert await gracewatch.hear("help", event="message C1 1.2") is None
    assert await gracewatch.hear("help", event="message C1 1.3") is not None


async def test_a_store_that_is_gone_is_said_and_not_raised(gracewatch: Bot, tmp_path: Path) -> None:
    await gracewatch.store.close()
    _put_a_folder_in_its_place(tmp_path)
    assert "The store cannot be used just now." in await gracewatch.say("status")


def _put_a_folder_in_its_place(folder: Path) -> None:
    for file in folder.glob("gracewatch.db*"):
        file.unlink()
    (folder / "gracewatch.db").mkdir()


HOSTILE = [
    "\x00", "--here", "check https://[::1", "check \ud800@x", "check a@b\x00c", "series \ud800", "series %' OR 1=1 --",
    "series " + "_%" * 300, "explain " + "x" * 10_000, "explain \u202e", "help help help", "check " + "@" * 900,
    "?" * 900, "check https://user:secret@lore.kernel.org/kvm/", "check https://lore.kernel.org/a%2Fb@c/%zz",
]  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
async def test_no_words_make_it_fail(gracewatch: Bot, words: str) -> None:
    assert await gracewatch.say(words, place=CARD)
    await gracewatch.hear(words, place=CARD, addressed=False)
