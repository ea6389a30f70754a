"""The commands, each with its own examples, on a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType

import pytest

from bot.catalog import rules
from handlers.command import Command, UnclearError
from handlers.commands.check import message_id
from handlers.verbs import command, commands, held
from tests.commands.world import CARD, Bot, bot

EXAMPLES = [pytest.param(one, example, id=example) for one in commands() for example in one.examples]


@pytest.fixture
async def gracewatch(tmp_path: Path) -> AsyncIterator[Bot]:
    async with bot(tmp_path) as it:
        yield it


def test_every_verb_of_the_product_is_a_command() -> None:
    assert {one.name for one in commands()} >= {"help", "explain", "check", "series", "status", "rules"}


def test_a_file_that_holds_no_command_of_its_name_is_an_error_at_once() -> None:
    empty, misnamed = ModuleType("empty"), ModuleType("misnamed")
    vars(misnamed)["COMMAND"] = commands()[0]
    for module in (empty, misnamed):
        with pytest.raises(TypeError, match=r"handlers/commands/mute.py must hold COMMAND, a Command called 'mute'"):
            held("mute", module)


@pytest.mark.parametrize(("one", "example"), EXAMPLES)
async def test_every_example_of_a_command_is_answered(gracewatch: Bot, one: Command, example: str) -> None:
    assert command(example.split()[0]) is one
    text = await gracewatch.say(example, place=CARD)
    assert text
    assert "There is no" not in text


async def test_help_names_every_command(gracewatch: Bot) -> None:
    text = await gracewatch.say("help")
    assert all(one.usage in text and one.summary in text for one in commands())


@pytest.mark.parametrize("one", commands(), ids=lambda one: one.name)
async def test_help_shows_how_a_command_is_used(gracewatch: Bot, one: Command) -> None:
    text = await gracewatch.say(f"help {one.name}")
    assert one.usage in text
    assert one.examples[0] in text


async def test_rules_names_every_rule(gracewatch: Bot) -> None:
    text = await gracewatch.say("rules")
    assert all(rule.name in text for rule in rules())


async def test_explain_shows_the_cure_of_a_rule(gracewatch: Bot) -> None:
    assert "Remove with list_del_rcu()" in await gracewatch.say("explain Plain_Del on rculist?")


async def test_explain_names_the_nearest_rule(gracewatch: Bot) -> None:
    assert "the nearest is `explain plain-del-on-rculist`" in await gracewatch.say("explain plain-dle-on-rcu-list")


async def test_explain_in_a_thread_explains_the_rule_that_spoke_there(gracewatch: Bot) -> None:
    assert (await gracewatch.say("explain", place=CARD)).startswith("plain-del-on-rculist")


async def test_check_reviews_a_series_by_the_id_of_one_of_its_mails(gracewatch: Bot) -> None:
    text = await gracewatch.say("check <v1-1@example.org>")
    assert text.startswith("KVM: walk devices, Ada Writer")
    assert "Looked at" in text


async def test_check_in_a_thread_takes_its_newest_version(gracewatch: Bot) -> None:
    assert (await gracewatch.say("check", place=CARD)).startswith("KVM: walk devices v2")


async def test_check_of_unknown_mail_says_what_to_do(gracewatch: Bot) -> None:
    text = await gracewatch.say("check nobody@example.org")
    assert "No mail nobody@example.org has come in." in text
    assert "gracewatch check FILE" in text


async def test_check_without_a_mail_says_what_it_needs(gracewatch: Bot) -> None:
    assert "Which mail?" in await gracewatch.say("check")


@pytest.mark.parametrize(
    "words",
    [
        "a.1-2@b.org",
        "<a.1-2@b.org>",
        "id:a.1-2@b.org",
        "https://lore.kernel.org/kvm/a.1-2@b.org/",
        "https://lore.kernel.org/r/a.1-2@b.org",
        "https://lore.kernel.org/all/a.1-2@b.org/T/#u",
        "https://lore.kernel.org/kvm/a.1-2%40b.org/raw",
    ],
)
def test_a_message_id_is_found_however_it_is_written(words: str) -> None:
    assert message_id(words) == "a.1-2@b.org"


@pytest.mark.parametrize("words", ["", "no id", "https://lore.kernel.org/kvm/", "a@b c@d", "x" * 5000])
def test_what_holds_no_message_id_is_not_guessed_at(words: str) -> None:
    with pytest.raises(UnclearError):
        message_id(words)


async def test_series_shows_the_last_ones_with_what_was_found(gracewatch: Bot) -> None:
    text = await gracewatch.say("series")
    assert "v1 of 2026-03-04 by Ada Writer, 1 of 1 patch, 1 finding" in text
    assert "v2 of 2026-03-04 by Ada Writer, 1 of 1 patch, settled" in text


async def test_series_can_be_searched(gracewatch: Bot) -> None:
    assert "KVM: walk devices" in await gracewatch.say("series walk ada")
    assert "No series has 'xfs'" in await gracewatch.say("series xfs")


async def test_series_in_a_thread_shows_its_versions(gracewatch: Bot) -> None:
    assert (await gracewatch.say("series", place=CARD)).startswith("2 versions of this series")


async def test_status_counts_and_names_what_is_watched(gracewatch: Bot) -> None:
    text = await gracewatch.say("status")
    for words in ("version 0.1.0", "feeds kvm", "messages 2", "findings 1", "plain-del-on-rculist 1"):
        assert words in " ".join(text.split())
