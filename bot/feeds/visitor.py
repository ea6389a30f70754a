"""Asks one configured web server for what is there: says who asks, waits when told to, and goes nowhere else."""

from __future__ import annotations

import email.utils
import io
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import BinaryIO

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from yarl import URL

from bot.feeds.addresses import InsideError, lookup
from bot.ports import FeedError

_REDIRECTS = 3
_CHUNK = 1 << 16
_LONGEST_REST = 6 * 3600.0
_LONGEST_SAVE = 3600.0  # for an answer that a server makes while it sends it
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Manners:
    """How servers are asked.  ``contact`` is the operator's mail or web address; seconds are meant everywhere.

    ``rest`` is how long a server is left alone that shows a page for browsers instead of what was asked for.
    """

    contact: str
    answer_within: float = 60.0
    attempts: int = 4
    first_pause: float = 1.0
    longest_pause: float = 60.0
    rest: float = 900.0

    @property
    def user_agent(self) -> str:
        return f"gracewatch/{version('gracewatch')} (+{self.contact})"


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is None when it is larger than was asked for."""

    status: int
    body: bytes | None = b""
    validators: Mapping[str, str] = field(default_factory=dict)  # for a conditional request later


class _PassingError(Exception):
    """It may work in a while."""

    def __init__(self, reason: str, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Visitor:
    """One server and one place on it, which all paths begin with.  ``name`` is what errors call it."""

    def __init__(self, url: str, manners: Manners, *, name: str = "") -> None:
        self.home = URL(url.rstrip("/") + "/")
        self.name = name or url
        self._manners = manners
        self._rests_until = 0.0
        self._why = ""
        if not manners.contact:
            raise FeedError(
                f"{self.name}: archives want to know who asks; set archive.contact, or GRACEWATCH_ARCHIVE_CONTACT in "
                "the environment, to your mail address"
            )

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Visit]:
        """Connections for some requests.  Raises FeedError when the server asked to be left alone for now."""
        left = self._rests_until - time.monotonic()
        if left > 0:
            raise FeedError(f"{self.name}: {self._why}; asked again in {left:.0f} seconds")
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Resolver(), limit=1),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._manners.user_agent},
        ) as session:
            yield Visit(self, session, self._manners)

    def rest(self, seconds: float, why: str) -> FeedError:
        """Leave the server alone for a while; the error says so."""
        seconds = min(seconds, _LONGEST_REST)
        self._rests_until, self._why = time.monotonic() + seconds, why
        return FeedError(f"{self.name}: {why}; it is left alone for {seconds:.0f} seconds")


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for: of a content type like ``kind``, at most ``limit`` bytes, into a file when there is one."""

    kind: str
    limit: int
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    into: BinaryIO | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Requests to a visitor's server over kept connections."""

    visitor: Visitor
    session: aiohttp.ClientSession
    manners: Manners

    async def get(self, path: str, kind: str, limit: int, validators: Mapping[str, str] | None = None) -> Answer:
        """What is at ``path`` (escaped already) below the home, of a content type like ``kind``.

        The status is 200, 304 or 404.  Failures that may pass are tried again, after as long as the server says.
        Raises FeedError.
        """
        return await self._asked(path, _Request(kind, limit, headers=validators or {}))

    async def save(self, path: str, kind: str, limit: int, into: BinaryIO) -> Answer:
        """What the server answers to a POST, written into a file: it may be long, and long in the making.

        As ``get`` otherwise; an answer of 200 has its body in the file, or None for it when it is too large.
        """
        return await self._asked(path, _Request(kind, limit, "POST", into=into))

    async def _asked(self, path: str, request: _Request) -> Answer:
        address = URL(f"{self.visitor.home}{path}", encoded=True)
        waiting = AsyncRetrying(
            retry=retry_if_exception_type(_PassingError),
            stop=stop_after_attempt(self.manners.attempts),
            wait=self._pause,
            reraise=True,
        )
        try:
            return await waiting(self._followed, address, request)
        except _PassingError as fault:
            if fault.retry_after:
                raise self.visitor.rest(fault.retry_after, str(fault)) from None
            cure = "check the address, or mirror it and name the copy, if this goes on"
            raise FeedError(f"{self.visitor.name}: {fault}; {cure}") from None

    def _pause(self, state: RetryCallState) -> float:
        fault = state.outcome.exception() if state.outcome else None
        asked = fault.retry_after if isinstance(fault, _PassingError) else 0.0
        return asked + wait_random_exponential(self.manners.first_pause, self.manners.longest_pause)(state)

    async def _followed(self, address: URL, request: _Request) -> Answer:
        """The answer, of another place on the same server when it says so."""
        for _ in range(_REDIRECTS + 1):
            try:
                async with self.session.request(
                    request.method,
                    address,
                    allow_redirects=False,
                    headers=request.headers,
                    timeout=self._timeout(request),
                ) as response:
                    if response.status not in _MOVED:
                        return await self._answer(response, request)
                    target = self._target(address, response.headers.get("Location", ""))
            except InsideError as fault:
                raise FeedError(f"{self.visitor.name}: {fault}") from None
            except TimeoutError:
                raise _PassingError(f"no whole answer within {self.manners.answer_within:g} seconds") from None
            except (aiohttp.ClientError, OSError, ValueError) as fault:
                if isinstance(fault.__cause__, InsideError):
                    raise FeedError(f"{self.visitor.name}: {fault.__cause__}") from None
                raise _PassingError(f"{type(fault).__name__}: {str(fault)[:200]}") from None
            address = target
        raise FeedError(f"{self.visitor.name}: it sends us in circles; check the address")

    def _timeout(self, request: _Request) -> aiohttp.ClientTimeout:
        within = self.manners.answer_within
        if request.into is None:
            return aiohttp.ClientTimeout(total=within)
        return aiohttp.ClientTimeout(total=_LONGEST_SAVE, sock_connect=within, sock_read=within)

    def _target(self, address: URL, location: str) -> URL:
        try:
            target = address.join(URL(location, encoded=True))
            same = bool(location) and target.origin() == self.visitor.home.origin()
        except ValueError:
            same = False
        if not same:
            where = location[:200]
            raise FeedError(f"{self.visitor.name}: it sends us away to {where!r}; name that address if you trust it")
        return target

    async def _answer(self, response: aiohttp.ClientResponse, request: _Request) -> Answer:
        if response.status in _PASSING:
            raise self._later(response)
        if response.status in {304, 404}:
            return Answer(response.status)
        if response.status != 200:
            raise FeedError(
                f"{self.visitor.name}: the server says {response.status} {(response.reason or '')[:80]}; "
                "check the address, and that archive.contact tells who asks"
            )
        if not response.content_type.startswith(request.kind):
            raise self._another(response.content_type, request.kind)
        headers = response.headers
        pairs = (("If-None-Match", headers.get("ETag")), ("If-Modified-Since", headers.get("Last-Modified")))
        answer = Answer(200, validators={name: value for name, value in pairs if value})
        if request.into is not None:
            request.into.seek(0)
            request.into.truncate()
            whole = await _copied(response, request.into, request.limit)
            return answer if whole else replace(answer, body=None)
        with io.BytesIO() as body:
            whole = await _copied(response, body, request.limit)
            return replace(answer, body=body.getvalue() if whole else None)

    def _later(self, response: aiohttp.ClientResponse) -> Exception:
        why = f"the server says {response.status} {(response.reason or '')[:80]}".rstrip()
        asked = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
        if asked > self.manners.longest_pause:
            return self.visitor.rest(asked, f"{why} and to come back in {asked:.0f} seconds")
        return _PassingError(why, asked)

    def _another(self, given: str, kind: str) -> FeedError:
        if given == "text/html":
            return self.visitor.rest(
                self.manners.rest,
                "it shows a web page, not what was asked for: it takes us for a browser or the address is wrong; "
                "check it, and mirror the archive with git if this goes on",
            )
        return FeedError(f"{self.visitor.name}: the server gives {given[:80]!r}, not {kind}; check the address")


async def _copied(response: aiohttp.ClientResponse, into: BinaryIO, limit: int) -> bool:
    """Copy a body; False, and nothing more is read, when it is larger than the limit."""
    async for chunk in response.content.iter_chunked(_CHUNK):
        into.write(chunk)
        if into.tell() > limit:
            response.close()
            return False
    return True


def retry_after(value: str, now: datetime) -> float:
    """The seconds that a Retry-After header (RFC 9110, section 10.2.3) asks for, 0 when it does not."""
    if value.strip().isdecimal():
        return min(float(value), _LONGEST_REST)
    try:
        when = email.utils.parsedate_to_datetime(value)
        seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_REST)


class _Resolver(AbstractResolver):
    """Looks names up for aiohttp, and refuses what leads inside."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in await lookup(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing is kept open."""
