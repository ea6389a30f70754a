"""Shows on a terminal how far a long run is, how fast it goes and how long it will take; nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text


class Progress:
    """The bars of a run; on something else than a terminal all of it does nothing."""

    def __init__(self, bars: Bars | None) -> None:
        self._bars = bars

    @property
    def seen(self) -> bool:
        """Is anybody looking?"""
        return self._bars is not None

    def stage(self, name: str, total: int | None, done: int = 0) -> Stage:
        """A bar for one stage of the run; ``done`` of it was done by an earlier run."""
        if self._bars is None:
            return Stage(lambda _number: None)
        return Stage(partial(self._bars.advance, self._bars.add_task(name, total=total, completed=done)))


class Stage:
    """One bar."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance

    def advance(self, number: int) -> None:
        self._advance(number)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def progress() -> Iterator[Progress]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Progress(None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield Progress(bars)
