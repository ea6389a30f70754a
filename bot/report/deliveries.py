"""From an alert to the deliveries of one channel, each under the key of the message that it is or changes."""

from __future__ import annotations

from bot.model import Alert, Delivery

CARD = "card"


def deliveries(alert: Alert, chat: str, channel: str, *, broadcast: bool = False) -> tuple[Delivery, ...]:
    """The card, then its replies, in the order they are to be shown.

    Keys are ``chat/channel/thread/card`` and ``chat/channel/thread/reply/fingerprint``: a fault is one message however
    often its series is reviewed, and that message is edited.
    """
    place = f"{chat}/{channel}/{alert.thread}"
    card = Delivery(f"{place}/{CARD}", chat, channel, alert.thread, alert.card, card=True, slot=CARD)
    replies = tuple(
        Delivery(
            f"{place}/{reply.slot}",
            chat,
            channel,
            alert.thread,
            reply.page,
            slot=reply.slot,
            about=reply.about,
            broadcast=broadcast,
        )
        for reply in alert.replies
    )
    return (card, *replies)
