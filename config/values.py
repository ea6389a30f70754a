"""What a setting may hold: durations, addresses and words, each refused with what to write instead."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = re.fullmatch(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", value.strip())
    if not value.strip() or parts is None:
        raise ValueError('write a duration as "45s", "5m", "1h30m" or "2d"')
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def duration(text: str) -> timedelta:
    """The time that "45s", "1h30m" or "7d" says.  Raises ValueError, with what to write."""
    found = _duration(text)
    if not isinstance(found, timedelta) or not found:
        raise ValueError('write a duration as "45s", "5m", "1h30m" or "2d"')
    return found


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or "")):
        return value.rstrip("/") + "/"
    raise ValueError("write an https:// address; plain http:// is for a test server on this machine only")


def _place(value: str) -> str:
    """The address of a list on the web or of a newsgroup, "" for none."""
    parts = urlsplit(value)
    if parts.username or parts.password:
        raise ValueError("an archive is read without a password; take it out of the address")
    if parts.scheme in {"nntp", "nntps"} and parts.hostname:
        return value
    if parts.scheme in {"", "http", "https"}:
        return _address(value) if value else ""
    raise ValueError("write https://host/list/ or nntps://host/group")


def _server(value: str) -> str:
    """The address of a server, "" for none."""
    return _address(value) if value else ""


def _contact(value: str) -> str:
    if not value.isascii() or not value.isprintable() or set(value) & set("()<>\\"):
        raise ValueError("write your mail address, or the address of a page about you, in plain letters")
    return value


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
HttpsAddress: TypeAlias = Annotated[str, BeforeValidator(_address)]
ServerAddress: TypeAlias = Annotated[str, AfterValidator(_server)]
ArchiveAddress: TypeAlias = Annotated[str, AfterValidator(_place)]
Contact: TypeAlias = Annotated[str, Field(max_length=200), AfterValidator(_contact)]
Word: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
