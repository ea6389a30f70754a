"""What a command takes, with all that it leaves behind: ``python -m benchmarks.cost COMMAND...`` prints three figures.

They are seconds on the wall, seconds of processors, and MB of its largest process.  It runs in a process of its own,
since a child begins with the memory of its parent on its account.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

_SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER: processes whose parents ended become ours, and are counted


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    memory: float


def cost(command: Sequence[str]) -> Cost:
    """Raises CalledProcessError when the command fails."""
    words = [sys.executable, "-m", "benchmarks.cost", *command]
    return Cost(*map(float, subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout.split()))


def main() -> int:
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    begun = time.perf_counter()
    code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False).returncode
    wall = time.perf_counter() - begun
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(wall, spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
