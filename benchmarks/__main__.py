"""Runs every benchmark, for `make bench`: lines of name, value, unit and ratio, divided by tabs; the rest on stderr."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_NO_BENCHMARKS = {"__main__", "archives", "cost", "lines"}


def main() -> int:
    here = Path(__file__).parent
    names = sorted({path.stem for path in here.glob("*.py")} - _NO_BENCHMARKS)
    # Each in a process of its own: what one leaves in memory must not slow down the next.
    codes = [subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode for name in names]
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
