"""A page's actions as Slack buttons, what a click on one means, and the form that asks for the rest of the words.

Limits: https://docs.slack.dev/reference/block-kit/block-elements/button-element (75 characters a label, 2,000 a value,
3,000 an address, 255 an action_id) and /blocks/actions-block (25 elements a block).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from slack_sdk.models.blocks import ActionsBlock, ButtonElement, InputBlock, PlainTextInputElement, PlainTextObject
from slack_sdk.models.views import View

from bot.model import Action
from bot.report.text import harmless, one_line

SAY, ASK, LINK = re.compile(r"say:\d+"), re.compile(r"ask:\d+"), re.compile(r"link:\d+")
FORM = "answer"  # callback_id of the form, and the name of its only field
_IN_A_BLOCK = 25
_LABEL, _VALUE, _URL = 75, 2000, 3000
_TITLE, _QUESTION, _ANSWER, _METADATA = 24, 150, 500, 3000
_APART = "\n"  # between the words and the question in a button's value; neither holds one


def buttons(actions: Sequence[Action]) -> Iterator[ActionsBlock]:
    """The actions as rows of buttons; one that Slack has no room for is left out, its words can be typed."""
    made = [button for number, action in enumerate(actions) if (button := _button(action, number))]
    for start in range(0, len(made), _IN_A_BLOCK):
        yield ActionsBlock(elements=made[start : start + _IN_A_BLOCK])


def _button(action: Action, number: int) -> ButtonElement | None:
    label = PlainTextObject(text=_plain(action.label, _LABEL) or "…", emoji=False)
    words, question = one_line(action.words), one_line(action.asks, _QUESTION)
    if action.link:
        fits = action.link.startswith("https://") and len(action.link) <= _URL and action.link.isprintable()
        return ButtonElement(text=label, action_id=f"link:{number}", url=action.link) if fits else None
    value = f"{words}{_APART}{question}" if question else words
    if not words or len(value) > _VALUE:
        return None
    return ButtonElement(text=label, action_id=f"{'ask' if question else 'say'}:{number}", value=value)


def _plain(text: str, limit: int) -> str:
    # What makes an invisible letter visible makes the text longer.
    return one_line(harmless(one_line(text, limit)), limit)


@dataclass(frozen=True, slots=True)
class Click:
    """Where a button was clicked: its words belong to that channel and that thread.  On App Home there is neither."""

    words: str
    channel: str = ""
    thread: str = ""


def asked_for(value: str) -> tuple[str, str]:
    """The words and the question in a button's value."""
    words, _, question = value.partition(_APART)
    return words, question


def form(click: Click, question: str) -> View:
    """The form that asks the question; it carries the click in its metadata."""
    carried = json.dumps(asdict(click))
    if len(carried) > _METADATA:
        raise ValueError("the words of this button are too long for a form")
    field = PlainTextInputElement(action_id=FORM, multiline=True, max_length=_ANSWER, focus_on_load=True)
    asked = InputBlock(
        block_id=FORM, label=PlainTextObject(text=_plain(question, _QUESTION).strip() or "?"), element=field
    )
    title = _plain(click.words.partition(" ")[0].capitalize(), _TITLE)
    return View(
        type="modal",
        callback_id=FORM,
        title=title,
        submit="Send",
        close="Cancel",
        private_metadata=carried,
        blocks=[asked],
    )


def answered(metadata: str, answer: str) -> Click:
    """The click that a form carried, with the answer behind its words."""
    click = Click(**json.loads(metadata))
    return Click(f"{click.words} {one_line(answer, _ANSWER)}".rstrip(), click.channel, click.thread)
