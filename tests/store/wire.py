"""A wire between a replica and its database that can be cut: what is sent then arrives nowhere, and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy import make_url


class Wire:
    """Carries bytes both ways between whoever connects to ``port`` and a server."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._whole = asyncio.Event()
        self._whole.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        """Let new connections through; what the old ones were about to carry is lost, and they end."""
        self.close()
        self._whole.set()

    def close(self) -> None:
        for task in self._carrying:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        self._writers.add(writer)
        with suppress(OSError, asyncio.CancelledError):
            await self._whole.wait()
            there, back = await asyncio.open_connection(*self._server)
            self._writers.add(back)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                for end in (writer, back):
                    end.transport.abort()
                    self._writers.discard(end)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            await self._whole.wait()
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError  # one end is gone: so is the other


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[tuple[str, Wire]]:
    """The URL of a database at the other end of a wire."""
    given = make_url(url)
    assert given.host
    assert given.port
    made = Wire(given.host, given.port)
    server = await asyncio.start_server(made.carry, "127.0.0.1")
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield given.set(port=made.port).render_as_string(hide_password=False), made
    finally:
        made.close()
        server.close()
        await server.wait_closed()
