"""From an alert to the deliveries of one channel, under keys that make a second telling impossible."""

from __future__ import annotations

import hashlib

from bot.model import Alert, Delivery, Page


def deliveries(alert: Alert, chat: str, channel: str) -> tuple[Delivery, ...]:
    """The card, then its replies, in the order they are to be queued.

    Keys are ``chat/channel/thread/card/digest of the page`` and ``chat/channel/thread/reply/fingerprint``: the same
    card is never queued twice, a changed one is a delivery of its own (an edit), and a fault is told once however often
    its series is reviewed.
    """
    place = f"{chat}/{channel}/{alert.thread}"
    card = Delivery(f"{place}/card/{_digest(alert.card)}", chat, channel, alert.thread, alert.card, card=True)
    replies = tuple(
        Delivery(f"{place}/reply/{name}", chat, channel, alert.thread, page) for name, page in alert.replies
    )
    return (card, *replies)


def _digest(page: Page) -> str:
    # A page is made of strings, enums and tuples of them: its repr says all of it and nothing else.
    return hashlib.sha256(repr(page).encode("utf-8", "backslashreplace")).hexdigest()[:16]
