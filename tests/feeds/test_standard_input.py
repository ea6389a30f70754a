"""What is piped in can be a mail, a diff or an mbox."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import asyncio
from bot.feeds.files import Files
async def main():
    async for item in Files(("-",)).since(""):
        print(item.data.partition(b"Subject: ")[2].splitlines()[0].decode())
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("piped", "subjects"),
    [
        ((ROOT / "examples/kvm/v1.mbox").read_bytes(), 3),
        ((ROOT / "examples/kvm/v1.mbox").read_bytes().partition(b"\n")[2].partition(b"\nFrom ")[0], 1),
        (b"diff --git a/a.c b/a.c\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-a\n+b\n", 1),
    ],
)
def test_a_pipe_gives_its_mails(piped: bytes, subjects: int) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=piped, capture_output=True, check=True, cwd=ROOT)
    assert len(done.stdout.splitlines()) == subjects
