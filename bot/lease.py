"""The lease of this replica: begun, renewed in time, given back; whoever cannot renew it stops before others go on."""

from __future__ import annotations

import asyncio
import fcntl
import platform
import secrets
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TextIO

import structlog

from bot.ports import LeaseLostError, Store, StoreError

LOG = structlog.get_logger("lease")
_RENEWALS = 3  # in the time of one lease
_LEAVING_SECONDS = 2.0


class Memory:
    """What this process was called as a replica, and the process before it: kept in a file that one process can lock.

    Whoever has the lock knows that its former self is dead, and need not wait for the end of a lease.
    """

    def __init__(self, folder: Path | None) -> None:
        self.former = ""
        self._file: TextIO | None = None
        if folder is None:
            return
        with suppress(OSError):  # another process works in this folder, or nobody may write there
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / "replica").open("a+", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                raise
            file.seek(0)
            self._file, self.former = file, file.read(200).strip()

    def keep(self, name: str) -> None:
        """This process is called so from now on."""
        self.former = name
        if self._file is not None:
            with suppress(OSError):  # a full disk: the next process waits, then
                self._file.truncate(0)
                self._file.write(name)
                self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Lease:
    """The right to work in the name of a replica, for ``length`` from each renewal.

    What ``length`` is for the store, too, which measures it by the clock of the database from a later moment on: so it
    is over here before it is over there.
    """

    def __init__(self, store: Store, length: timedelta, memory: Memory | None = None) -> None:
        self._store = store
        self._memory = memory or Memory(None)
        self._seconds = length.total_seconds()
        self._end = 0.0

    async def begin(self) -> str:
        """Join under a new name, which is returned.  Raises StoreError."""
        name = f"{platform.node()[:40] or 'replica'}-{secrets.token_hex(3)}"
        end = time.monotonic() + self._seconds
        await self._store.join(name, self._memory.former)
        self._memory.keep(name)
        self._end = end
        return name

    async def lost(self) -> str:
        """Renew it until it is lost; why it was.  What is done in the name of this replica must end then, at once."""
        while True:
            await asyncio.sleep(self._seconds / _RENEWALS)
            begun = time.monotonic()
            renewal = asyncio.ensure_future(self._store.renew())
            try:
                await asyncio.wait({renewal}, timeout=self._end - begun)
                if not renewal.done():
                    return "the database did not answer"
                renewal.result()
                self._end = begun + self._seconds
            except LeaseLostError:
                return "it was renewed too late"
            except StoreError as fault:
                LOG.warning("lease not renewed", reason=str(fault))
                if time.monotonic() >= self._end:
                    return str(fault)
            finally:
                if not renewal.done():
                    self._store.abandon()
                    renewal.cancel()
                    await asyncio.gather(renewal, return_exceptions=True)

    async def end(self) -> None:
        """Give it back, so that the others need not wait for its end."""
        leaving = asyncio.ensure_future(self._store.leave())
        await asyncio.wait({leaving}, timeout=_LEAVING_SECONDS)
        if not leaving.done():
            self._store.abandon()
        fault = (await asyncio.gather(leaving, return_exceptions=True))[0]
        if fault is not None:
            LOG.warning("lease not given back", reason=str(fault), cure="the others wait until it ends")
