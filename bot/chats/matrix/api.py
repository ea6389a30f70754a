"""The few requests of Matrix's client-server API that a bot needs, and what their errors mean for a page.

Source: https://spec.matrix.org/v1.16/client-server-api/
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp

from bot.ports import Cause, ChatError

_PATIENCE = 30.0  # seconds, beside what a request is to wait for on the server
_ACCESS = "check MATRIX_ACCESS_TOKEN and matrix.homeserver"
_ROOM = "check the room's name, and invite the bot there"
# https://spec.matrix.org/v1.16/client-server-api/#standard-error-response
_CAUSES: Mapping[str, tuple[Cause, str]] = {
    "M_UNKNOWN_TOKEN": (Cause.ACCESS, _ACCESS),
    "M_MISSING_TOKEN": (Cause.ACCESS, _ACCESS),
    "M_USER_DEACTIVATED": (Cause.ACCESS, _ACCESS),
    "M_USER_LOCKED": (Cause.ACCESS, _ACCESS),
    "M_FORBIDDEN": (Cause.CHANNEL, _ROOM),
    "M_NOT_FOUND": (Cause.CHANNEL, _ROOM),
    "M_INVALID_PARAM": (Cause.CHANNEL, _ROOM),
    "M_UNKNOWN": (Cause.TROUBLE, "try again later"),
    "M_TOO_LARGE": (Cause.CONTENT, "please report it as a bug"),
    "M_BAD_JSON": (Cause.CONTENT, "please report it as a bug"),
}


def path(*parts: str) -> str:
    """A path of the API in which no part can lead elsewhere."""
    return "/_matrix/client/v3/" + "/".join(quote(part, safe="") for part in parts)


class Api:
    """A homeserver and a token for it.  Every method raises ChatError; nothing is repeated here."""

    def __init__(self, homeserver: str, token: str) -> None:
        self._homeserver = homeserver.rstrip("/")
        self._token = token

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """One request.  ``query`` may hold ``timeout``: how many milliseconds the server waits for something new."""
        wait = _PATIENCE + int((query or {}).get("timeout", 0)) / 1000
        patience = aiohttp.ClientTimeout(total=wait)
        headers = {"Authorization": f"Bearer {self._token}"}
        url = self._homeserver + path
        try:
            # A session for each request: a bot says a few words a minute, and so there is nothing to close.
            async with (
                aiohttp.ClientSession(headers=headers, timeout=patience) as http,
                http.request(method, url, json=body, params=query, allow_redirects=False) as answer,
            ):
                found = _json(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise ChatError(f"the Matrix server did not answer: {type(fault).__name__}: {fault}") from fault
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _understood(answer.status, found)
        return found


def _json(status: int, said: bytes) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise ChatError(f"what answers there is no Matrix server (HTTP {status}); check matrix.homeserver")


def _understood(status: int, found: Mapping[str, Any]) -> ChatError:
    code, said = str(found.get("errcode", "")), str(found.get("error", ""))[:200]
    if status == HTTPStatus.TOO_MANY_REQUESTS or code == "M_LIMIT_EXCEEDED":
        asked = found.get("retry_after_ms", 1000)
        wait = min(max(float(asked) if isinstance(asked, int | float) else 1000, 1000), 3_600_000)
        reason = "the Matrix server asks to wait"
        return ChatError(reason, cause=Cause.WAIT, retry_after=timedelta(milliseconds=wait))
    cause, cure = _CAUSES.get(code, (Cause.TROUBLE, "try again later"))
    return ChatError(f"Matrix refuses: {code or status} {said}; {cure}", cause=cause, final=cause is Cause.CONTENT)
