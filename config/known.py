"""What gracewatch knows of KVM before it sees any tree: the table that comes with it."""

from __future__ import annotations

from functools import cache

from bot.code.known import Table, read
from bot.model import Known
from config.layers import HERE


@cache
def table() -> Table:
    """The table of kvm.toml.  Raises KnownObjectsError."""
    return read((HERE / "kvm.toml").read_text("utf-8"))


def known_functions() -> Known:
    """The part of it that reviews are told."""
    return table().known
