"""Where a message can be read by everyone."""

from __future__ import annotations

import re
from urllib.parse import quote

from bot.model import Finding, Message, Series

LORE = "https://lore.kernel.org/r/"
SOURCE = "https://git.kernel.org/pub/scm/virt/kvm/kvm.git/tree/"
_COMMIT = re.compile(r"[0-9a-f]{40}")


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


def of_source(series: Series, finding: Finding) -> str:
    """The line of a finding in the tree that the series was made for, "" when the series does not name its base.

    A line that the series moves is found a little beside; one that it adds is in no tree yet.
    """
    base = series.base_commit
    if finding.touched or not _COMMIT.fullmatch(base):
        return ""
    return f"{SOURCE}{quote(finding.path, safe='/')}?id={base}#n{finding.line}"
