"""Finds the network address of a configured host, and refuses those inside of this network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence


class InsideError(OSError):
    """A public name leads to an address inside of this network; the message names both."""


def is_inside(host: str) -> bool:
    """Whether a host is written as this machine or as an address that is not public: then it is meant."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


async def lookup(host: str, port: int, family: int = socket.AF_UNSPEC) -> Sequence[tuple[int, str]]:
    """(family, address) of a host.  Raises OSError when it has none, and InsideError.

    Whoever owns a name may point it at a machine behind our walls and have us ask there.  An operator who wants that
    names the address itself.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    # An IPv6 address may carry a scope, as in fe80::1%eth0.
    addresses = [(kind, str(where[0]).partition("%")[0]) for kind, _, _, _, where in found]
    if not is_inside(host):
        for _, address in addresses:
            if not ipaddress.ip_address(address).is_global:
                raise InsideError(
                    f"{host} leads to {address}, which is not public; to read from there, name the address"
                )
    return addresses
