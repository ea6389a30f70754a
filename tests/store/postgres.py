"""A PostgreSQL server of our own for the tests, where it is installed: one for the session, one database for a test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ACCOUNT = "postgres"  # the server refuses to run as root


def binaries() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the path."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "pg_ctl").exists()), None)


needs_postgres = pytest.mark.skipif(binaries() is None, reason="PostgreSQL is not installed")


@contextmanager
def postgres() -> Iterator[str]:
    """A running server; the URL of its first database."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="gracewatch-postgres-"))
    account = ("runuser", "-u", _ACCOUNT, "--") if os.geteuid() == 0 else ()
    if account:
        shutil.chown(folder, _ACCOUNT)

    def run(*words: str) -> None:
        subprocess.run((*account, *words), check=True, cwd=folder, stdout=subprocess.DEVNULL)

    data, port = str(folder / "data"), _free_port()
    options = f"-F -k {folder} -c listen_addresses=127.0.0.1 -p {port} -c max_connections=200"
    run(str(programs / "initdb"), "-D", data, "-U", _ACCOUNT, "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
    run(str(programs / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{_ACCOUNT}@127.0.0.1:{port}/postgres"
    finally:
        run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


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


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
