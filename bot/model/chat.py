"""The words of chat: pages, deliveries, alerts, what people ask, and what became of findings."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

from bot.model.code import Finding, Level
from bot.model.mail import Unreadable


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph of plain words.  No markup: each chat escapes and styles it in its own way.

    ``people`` are ids of persons, as the chat calls them, that stand in the text as "@id": a chat that knows the names
    of people shows those.
    """

    text: str
    quiet: bool = False  # small print
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """Lines in fixed width."""

    text: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Short label and value pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Figures to draw, stacked, one column for each label: ``series`` are (name, a figure for each label)."""

    title: str
    labels: tuple[str, ...]
    series: tuple[tuple[str, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person may do with a page.

    A click says ``words``, a line of the command grammar ("ack 3fa9c1d2"), in the name of who clicked: a button can do
    nothing that a typed line cannot, and a chat without buttons shows the line.  ``asks`` is a question whose answer is
    put behind the words.  With ``link`` it leads somewhere and says nothing.
    """

    label: str
    words: str = ""
    link: str = ""
    asks: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Something to show a person, in no chat's own language."""

    headline: str
    link: str = ""  # where the headline leads
    level: Level | None = None
    parts: tuple[Text | Code | Fields, ...] = ()
    actions: tuple[Action, ...] = ()
    chart: Chart | None = None  # said in words among the parts, too: a chat need not draw


class DeliveryState(enum.StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    GAVE_UP = "gave-up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A page on its way to a chat.

    ``key`` is unique for ever: the same page for the same place is never queued twice.  ``card`` says that this is the
    parent of ``thread``; everything else is a reply below it.  Deliveries of one ``slot`` of a thread are one message:
    the first is posted, those after it edit it ("": a card has the slot "card", a reply one of its own).  ``about``
    are the fingerprints that a reply speaks of.  With ``broadcast`` the channel sees the reply outside its thread, too.
    A channel "@id" is the private talk with a person.
    """

    key: str
    chat: str
    channel: str
    thread: str
    page: Page
    card: bool = False
    state: DeliveryState = DeliveryState.QUEUED
    attempts: int = 0
    not_before: datetime | None = None
    remote_id: str = ""  # the chat's id of the posted message
    error: str = ""
    slot: str = ""
    about: tuple[str, ...] = ()
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A reply in a thread: its slot, the fingerprints it speaks of, and what it shows."""

    slot: str
    about: tuple[str, ...]
    page: Page = Page("")


@dataclass(frozen=True, slots=True)
class Alert:
    """What a channel is to see of a series: the card and the replies below it, those of earlier versions included."""

    thread: str
    card: Page
    replies: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A person's words to the bot: "explain plain-del-on-rculist", with where and who.

    ``addressed``: the bot was spoken to, by name or by its command; else the words are a reply in some thread.
    """

    chat: str
    channel: str
    who: str
    words: str
    thread: str = ""  # the series thread it was said in, "" elsewhere; filled in by handlers.asked
    place: str = ""  # the chat's own id of the thread it was said in
    event: str = ""  # what the chat calls this utterance; the same one again is not answered twice
    addressed: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    page: Page
    private: bool = True


@dataclass(frozen=True, slots=True)
class Life:
    """A series' findings joined with those of the version before: what happened to each."""

    new: tuple[Finding, ...] = ()
    still_open: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    again: tuple[Finding, ...] = ()  # fixed in an earlier version, and back
    dismissed: tuple[Finding, ...] = ()  # there, and somebody said that they are wrong or will stay

    @property
    def open(self) -> tuple[Finding, ...]:
        """What is wrong now and was not dismissed."""
        return (*self.new, *self.again, *self.still_open)


@dataclass(frozen=True, slots=True)
class Scan:
    """How much was looked at; the proof behind a silence."""

    messages: int = 0
    patches: int = 0
    series: int = 0
    functions: int = 0
    unreadable: tuple[Unreadable, ...] = field(default=())
