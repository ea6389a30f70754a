"""Where a message can be read by everyone."""

from __future__ import annotations

from urllib.parse import quote

from bot.model import Message, Series

LORE = "https://lore.kernel.org/r/"


def of_message(message_id: str) -> str:
    """The lore address of a message.  Message-IDs are hostile: all that is not plain in an address is quoted."""
    return LORE + quote(message_id.encode("utf-8", "replace"), safe="@.-_~+=!*,:;")


def first_message(series: Series) -> Message | None:
    """The message that stands for a series: its cover, or its first patch."""
    if series.cover:
        return series.cover
    return series.patches[0].message if series.patches else None


def of_series(series: Series) -> str:
    """The lore address of the cover or the first patch, "" for a series of nothing."""
    message = first_message(series)
    return of_message(message.id) if message else ""
