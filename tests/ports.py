"""Ports for servers that must be told theirs."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port of this machine that nobody listens on.

    It lies below those that systems give out of themselves: one of them could be given to a connection, or to another
    test, before its server has taken it.
    """
    while True:
        port = random.randrange(10_000, 32_768)  # noqa: S311  not for secrets
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
