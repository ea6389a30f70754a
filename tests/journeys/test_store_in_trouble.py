"""The disk is full, or the database is away: the service waits, says so, loses nothing and says nothing twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.gracewatch import EXAMPLES
from tests.journeys.service import Service, service
from tests.store.postgres import database, needs_postgres, running


def sent(it: Service) -> Counter[str]:
    return Counter(line["delivery"] for line in it.events("page left") if line["state"] == "sent")


def put_off(it: Service) -> str:
    """Why jobs are put off or the lease is not renewed, "" while they are not."""
    return next((line["reason"] for line in it.log if line["event"] in {"job put off", "lease not renewed"}), "")


def fill(file: Path) -> None:
    """All the space that its disk has left."""
    with file.open("wb") as open_file, contextlib.suppress(OSError):
        while True:
            os.write(open_file.fileno(), b"x" * 4096)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip(f"no file system of our own can be mounted: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_holds_all_up_until_there_is_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, service(tmp_path, state=disk / "state") as it:
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: len(sent(it)) >= 2)
        filler = disk / "filler"
        fill(filler)
        shutil.copy(EXAMPLES / "kvm" / "v3.mbox", tmp_path / "first")
        it.until(lambda: put_off(it))
        assert "free some space" in put_off(it)
        it.until(lambda: any("free some space" in why for why in it.ready()["parts"].values()))
        known = len(it.events("series reviewed"))
        filler.unlink()
        it.until(lambda: len(it.events("series reviewed")) > known)
        it.until(lambda: it.ready()["ready"])
        told = it.until_silent()
    assert set(sent(it).values()) == {1}
    assert "fixed in v3: 2" in told


@needs_postgres
def test_a_database_that_goes_away_and_comes_back_is_waited_for(tmp_path: Path) -> None:
    with running() as server, database(server.url, "trouble") as url, service(tmp_path, store=url) as it:
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: len(sent(it)) >= 2)
        server.stop()
        shutil.copy(EXAMPLES / "kvm" / "v3.mbox", tmp_path / "first")
        it.until(lambda: put_off(it))
        it.until(lambda: not it.ready()["ready"])
        server.start()
        it.until(lambda: len(it.events("series reviewed")) >= 2)
        it.until(lambda: it.ready()["ready"])
        told = it.until_silent()
    assert set(sent(it).values()) == {1}
    assert "fixed in v3: 2" in told
