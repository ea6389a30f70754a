"""Fuzzes every target for some seconds, each in its own process, and prints executions and failures.

An input that fails, hangs or grows past the memory bound is kept in tests/data/fuzz/TARGET; the tests try it again.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "data" / "fuzz"
LARGEST = 16 << 10  # bytes of one input
SLOWEST = 20  # seconds for one input
MEMORY = 1024  # megabytes
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Ran:
    target: str
    executions: int
    failure: str  # the end of what the fuzzer said, "" when nothing failed


def run(target: str, seconds: int) -> Ran:
    """Fuzz one target from its kept corpus; what is new stays in a folder that is thrown away."""
    kept = CORPUS / target
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gracewatch-fuzz-") as new:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.one", target),
                *(f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}"),
                *(f"-max_len={LARGEST}", "-print_final_stats=1", "-verbosity=0"),
                *(f"-dict={CORPUS / 'words.dict'}", f"-artifact_prefix={kept}/failed-"),
                *(new, str(kept)),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds + 10 * SLOWEST,
        )
    executions = _EXECUTIONS.search(done.stderr)
    said = done.stdout + done.stderr
    return Ran(target, int(executions[1]) if executions else 0, "" if done.returncode == 0 else said[-3000:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--jobs", type=int, default=2, help="targets at the same time")
    parser.add_argument("targets", nargs="*", help=f"some of {', '.join(TARGETS)}; all when none is named")
    chosen = parser.parse_args()
    wanted = chosen.targets or list(TARGETS)
    if unknown := set(wanted) - TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    with ThreadPoolExecutor(chosen.jobs) as pool:
        done = list(pool.map(lambda target: run(target, chosen.seconds), wanted))
    for one in done:
        print(f"{one.target:<10}{one.executions:>12,} executions  {'FAILED' if one.failure else 'no failure'}")
        if one.failure:
            print(one.failure)
    failures = sum(bool(one.failure) for one in done)
    print(f"{'all':<10}{sum(one.executions for one in done):>12,} executions  {failures} failures")
    return 1 if failures or not all(one.executions for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
