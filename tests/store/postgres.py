"""A PostgreSQL server of our own for the tests, where it is installed: one for the session, one database for a test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

_ACCOUNT = "postgres"  # the server refuses to run as root


def binaries() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the path."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "pg_ctl").exists()), None)


needs_postgres = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")


class Server:
    """A server with its data in a folder; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        programs = binaries()
        assert programs is not None
        self._folder, self._programs, self._port = folder, programs, free_port()
        data = str(folder / "data")
        self._run("initdb", "-D", data, "-U", _ACCOUNT, "-A", "trust", "-N", "-E", "UTF8", "--locale=C")

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"postgresql://{_ACCOUNT}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        place = f"-k {self._folder} -c listen_addresses=127.0.0.1 -p {self._port}"
        self._control("-w", "-l", str(self._folder / "log"), "-o", f"-F {place} -c max_connections=200", "start")

    def stop(self) -> None:
        """At once, as in a crash."""
        self._control("-m", "immediate", "stop")

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), *words)

    def _run(self, program: str, *words: str) -> None:
        account = ("runuser", "-u", _ACCOUNT, "--") if os.geteuid() == 0 else ()
        command = (*account, str(self._programs / program), *words)
        subprocess.run(command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL)


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs."""
    folder = Path(tempfile.mkdtemp(prefix="gracewatch-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _ACCOUNT)
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres() -> Iterator[str]:
    """A running server; the URL of its first database."""
    with running() as server:
        yield server.url


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """A new database on the server; its URL."""
    programs = binaries()
    assert programs is not None
    host, _, port = server.partition("@")[2].partition("/")[0].partition(":")
    where = ("-h", host, "-p", port, "-U", _ACCOUNT)
    subprocess.run((str(programs / "createdb"), *where, "-T", "template0", name), check=True)
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        subprocess.run((str(programs / "dropdb"), *where, "--force", name), check=True)
