"""A back-up of the database, taken while the service works, is all that another machine needs to go on from there."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.journeys.gracewatch import EXAMPLES
from tests.journeys.service import Service, service
from tests.store.postgres import binaries, database, needs_postgres, postgres


def told_of_v1(it: Service) -> set[str]:
    shutil.copy(EXAMPLES / "kvm" / "v1.mbox", it.folder / "first")
    it.until(lambda: len(it.events("page left")) >= 2)
    it.until_silent()
    return {line["delivery"] for line in it.events("page left")}


def goes_on_with_v3(it: Service, told: set[str]) -> None:
    """The same mail again changes nothing, and the reroll belongs to the thread that was told."""
    for name in ("v1.mbox", "v3.mbox"):
        shutil.copy(EXAMPLES / "kvm" / name, it.folder / "first")
    it.until(lambda: it.events("page left"))
    assert "fixed in v3: 2" in it.until_silent()
    again = {line["delivery"] for line in it.events("page left")}
    assert again
    assert not again & told


def test_a_file_that_was_copied_by_sqlite_while_the_service_worked(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (there / "state").mkdir(parents=True)
    with service(here) as it:
        told = told_of_v1(it)
        with (
            closing(sqlite3.connect(here / "state" / "gracewatch.db")) as source,
            closing(sqlite3.connect(there / "state" / "gracewatch.db")) as copy,
        ):
            source.backup(copy)
    with service(there) as it:
        goes_on_with_v3(it, told)


@needs_postgres
def test_a_dump_of_postgresql_that_was_taken_while_the_service_worked(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    programs = binaries()
    assert programs is not None
    with postgres() as server, database(server, "here") as source, database(server, "there") as copy:
        with service(here, store=source) as it:
            told = told_of_v1(it)
            dump = subprocess.run([programs / "pg_dump", "-Fc", source], check=True, capture_output=True).stdout
        subprocess.run([programs / "pg_restore", "--no-owner", "-d", copy], input=dump, check=True)
        with service(there, store=copy) as it:
            goes_on_with_v3(it, told)
