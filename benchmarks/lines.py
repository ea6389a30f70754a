"""What every benchmark prints: ``name value unit ratio``, divided by tabs, the ratio being to a named reference."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from typing import TypeVar

ResultT = TypeVar("ResultT")


def say(name: str, value: float, unit: str, reference: float, reference_name: str) -> None:
    """One line; the ratio is ``value`` to ``reference``, which must not be 0."""
    figure = f"{value:,.0f}".replace(",", "") if abs(value) >= 1000 else f"{value:.4g}"
    print(name, figure, unit, f"{value / reference:.3g}x of {reference_name}", sep="\t", flush=True)


def skipped(name: str, reason: str) -> None:
    """Say that a benchmark was not run; the lines on standard output are figures and nothing else."""
    print(f"{name}: skipped: {reason}", file=sys.stderr, flush=True)


def seconds(work: Callable[[], ResultT], times: int = 1) -> tuple[float, ResultT]:
    """Seconds of processors for the cheapest of some runs, children counted, and what the last one gave."""
    best = float("inf")
    for _ in range(times):
        begun = _spent()
        result = work()
        best = min(best, _spent() - begun)
    return best, result


def _spent() -> float:
    spent = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)
