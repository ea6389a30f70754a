"""Pages are due in the outbox: carry each to its chat, so that none is lost and none is said twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.model import Delivery, DeliveryState
from bot.ports import Cause, Chat, ChatError, Clock, Meter, Store, StoreAwayError
from bot.ports.replicas import PAGE
from handlers.pace import Pace

LOG = structlog.get_logger("outbox")

_AT_ONCE = 50
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 600.0
_MOST_ATTEMPTS = 1000  # a week: nobody mended the token or the channel, and the news is none any more
_MOST_FAULTS = 20  # of our own making: a page that no code of ours can show must not hold up its channel for ever


async def interrupted(store: Store) -> int:
    """See to replicas that are no more: what they held is free, and what they left half sent is queued again.

    Nobody knows whether such a page arrived.  Its count of attempts says so, and it is looked up before it is sent.
    """
    async with store.transaction() as transaction:
        if dead := await transaction.bury():
            LOG.warning("replicas are gone", replicas=dead)
        left = await transaction.interrupted_deliveries()
        for delivery in left:
            await transaction.save_delivery(
                replace(delivery, state=DeliveryState.QUEUED, attempts=max(delivery.attempts, 1), not_before=None)
            )
    return len(left)


async def delivery_due(
    store: Store,
    clock: Clock,
    chats: Mapping[str, Chat],
    meter: Meter,
    going_on: Callable[[], bool] = lambda: True,
) -> int:
    """Send all that may go now, channels side by side, and return how many pages left.

    What a channel's pace holds back is due at the next call.  Never to be called twice at the same time: pages that
    this replica still holds when it begins are left over from a time when nothing could be saved.
    """
    sent = 0
    async with store.transaction() as transaction:
        await transaction.let_go(PAGE)
    while going_on():
        due = await _taken(store, clock.now(), chats)
        if not due:
            break
        sending = (_send(delivery, store, clock, chats, meter) for delivery in due)
        states = await asyncio.gather(*sending, return_exceptions=True)  # none may be under way when this returns
        for fault in states:
            if isinstance(fault, BaseException):
                raise fault
        sent += states.count(DeliveryState.SENT)
    return sent


async def _taken(store: Store, now: datetime, chats: Mapping[str, Chat]) -> tuple[Delivery, ...]:
    """The next delivery of each channel that may be spoken in, noted as being sent."""
    taken: list[Delivery] = []
    async with store.transaction() as transaction:
        pace = Pace(await transaction.paces(), now)
        # A channel that must rest stands in the way of no other, however much it has to say.
        for delivery in await transaction.due_deliveries(now, _AT_ONCE + len(pace.paid)):
            place, chat = (delivery.chat, delivery.channel), chats.get(delivery.chat)
            apart = chat.pace if chat else timedelta(0)
            if pace.may_speak(place, apart):
                if apart:
                    await transaction.save_pace(place, pace.after(place, apart))
                taken.append(replace(delivery, state=DeliveryState.SENDING))
                await transaction.save_delivery(taken[-1])
    return tuple(taken)


async def _send(
    delivery: Delivery, store: Store, clock: Clock, chats: Mapping[str, Chat], meter: Meter
) -> DeliveryState:
    try:
        remote_id = await _said(delivery, store, chats.get(delivery.chat))
        after = replace(delivery, state=DeliveryState.SENT, remote_id=remote_id, error="", not_before=None)
    except ChatError as fault:
        if fault.retry_after is not None:
            meter.count("rate_limited", chat=delivery.chat)
        meter.count("refused", chat=delivery.chat, why=fault.cause.value)
        LOG.warning("page not taken", chat=delivery.chat, channel=delivery.channel, reason=str(fault))
        after = _failed(delivery, clock, str(fault), fault.retry_after, final=fault.final)
    except StoreAwayError:
        raise
    except Exception as fault:  # noqa: BLE001  one page must not stop the outbox; the reason is kept with it
        reason = f"{type(fault).__name__}: {fault}"
        after = _failed(delivery, clock, reason, None, final=delivery.attempts + 1 >= _MOST_FAULTS)
    async with store.transaction() as transaction:
        await transaction.save_delivery(after)
    LOG.info("page left", delivery=delivery.key, state=after.state.value, attempts=after.attempts)
    meter.count("deliveries", chat=delivery.chat, state=after.state.value)
    return after.state


async def _said(delivery: Delivery, store: Store, chat: Chat | None) -> str:
    """Post the page, or edit the message that stands already, and return its remote id.  Raises ChatError."""
    if chat is None:
        raise ChatError(f"no chat is called {delivery.chat!r} any more; settings name the chats", final=True)
    async with store.transaction() as transaction:
        standing = await transaction.standing(delivery)
        card = await transaction.card(delivery.chat, delivery.channel, delivery.thread)
    if not delivery.card and card is None:
        raise ChatError("the card that it belongs below could not be posted", final=True)
    if card is None:
        return await _posted(delivery, chat, "")
    if standing is not None and not delivery.card:
        return await _edited(delivery, standing.remote_id, chat)
    try:
        return await _said_with(card, delivery, chat)
    except ChatError as fault:
        if fault.cause is not Cause.GONE:
            raise
    # Somebody deleted the card.  There is more to say, so it stands anew.
    if delivery.card:
        return await _posted(delivery, chat, "")
    anew = replace(card, remote_id=await _posted(replace(card, attempts=1), chat, ""))
    async with store.transaction() as transaction:
        await transaction.save_delivery(anew)
    return await _posted(delivery, chat, anew.remote_id)


async def _edited(delivery: Delivery, remote_id: str, chat: Chat) -> str:
    """A reply changes.  One that somebody deleted stays deleted: what it would say is on the card, too."""
    try:
        await chat.edit(delivery.channel, remote_id, delivery.page)
    except ChatError as fault:
        if fault.cause is Cause.GONE:
            raise ChatError(str(fault), cause=fault.cause, final=True) from fault
        raise
    return remote_id


async def _said_with(card: Delivery, delivery: Delivery, chat: Chat) -> str:
    if not delivery.card:
        return await _posted(delivery, chat, card.remote_id)
    await chat.edit(delivery.channel, card.remote_id, delivery.page)
    return card.remote_id


async def _posted(delivery: Delivery, chat: Chat, thread: str) -> str:
    if delivery.attempts:  # an earlier try may have arrived without our hearing of it
        found = await chat.find(delivery.channel, delivery.key, thread=thread)
        if found:
            return found
    loud = delivery.broadcast and bool(thread)
    return await chat.post(delivery.channel, delivery.page, thread=thread, delivery=delivery.key, broadcast=loud)


def _failed(delivery: Delivery, clock: Clock, reason: str, retry_after: timedelta | None, *, final: bool) -> Delivery:
    attempts = delivery.attempts + 1
    state = DeliveryState.GAVE_UP if final or attempts >= _MOST_ATTEMPTS else DeliveryState.QUEUED
    wait = retry_after or timedelta(seconds=_pause(attempts))
    return replace(delivery, state=state, attempts=attempts, not_before=clock.now() + wait, error=reason)


def _pause(attempts: int) -> float:
    """Twice as long each time, with jitter, so that many channels do not come back at the same moment."""
    longest = min(_FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  not for secrets
