"""The machine's clock is set forward and back while the service runs: mail is still read, reviewed and told at once.

libfaketime sets the clock of one process alone; the monotonic clock goes on as it does when a clock is set.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.journeys.gracewatch import EXAMPLES
from tests.journeys.service import service

LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@pytest.mark.skipif(not LIBRARY.exists(), reason="libfaketime is absent: apt-get install faketime")
@pytest.mark.parametrize("jump", ["-3h", "+3h", "-40y", "+40y"])
def test_a_clock_that_jumps_holds_up_no_mail(jump: str, tmp_path: Path) -> None:
    setting = tmp_path / "clock"
    setting.write_text("+0")
    others = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(setting),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        # Its cure for clocks that go backwards lets some four pieces of work a second pass between threads.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    with service(tmp_path, others=others) as it:
        shutil.copy(EXAMPLES / "kvm" / "v1.mbox", tmp_path / "first")
        it.until(lambda: it.events("page left"))
        setting.write_text(jump)
        shutil.copy(EXAMPLES / "kvm" / "v3.mbox", tmp_path / "first")
        it.until(lambda: len(it.events("series reviewed")) == 2)
        # Set forward, it takes itself for dead; the clock of its next life knows of no jump.
        it.until(lambda: it.events("the clock jumped") or it.events("lease lost"))
        it.until(lambda: "fixed in v3" in it.said)
        assert not [line for line in it.log if line["level"] == "error"]
