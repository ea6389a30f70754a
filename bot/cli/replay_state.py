"""Where an interrupted replay is kept, so that the same command goes on where it was."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import bot

_OURS = ("bot", "config", "handlers")


@contextmanager
def kept(question: Sequence[str], *, anew: bool, resumable: bool) -> Iterator[State]:
    """The state of the replay that this question names; it is removed when the replay came to its end.

    Another version of our code is another question: its answers must not be mixed with ours.
    """
    folder = _folder() if resumable else None
    if folder is not None:
        file = folder / f"{_digest((*question, _code()))}.db"
        with file.with_suffix(".lock").open("w") as lock:
            if _locked(lock.fileno()):
                state = State(file, resumable=True)
                if anew:
                    state.remove()
                yield state
                return
        print("gracewatch: the same replay runs already; this one cannot be resumed", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="gracewatch-") as name:
        yield State(Path(name, "replay.db"), resumable=False)


class State:
    """The database file of one replay."""

    def __init__(self, file: Path, *, resumable: bool) -> None:
        self.file = file
        self.resumable = resumable

    def remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + end).unlink(missing_ok=True)

    def done(self) -> None:
        """The replay came to its end: the next one begins anew."""
        self.remove()
        self.file.with_suffix(".lock").unlink(missing_ok=True)


def _folder() -> Path | None:
    place = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "gracewatch" / "replay"
    try:
        place = place.expanduser()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return place if os.access(place, os.W_OK) else None


def _locked(descriptor: int) -> bool:
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _code() -> str:
    """What our code is: the sizes and the times of its files."""
    root = Path(bot.__file__).parents[1]
    files = (path for name in _OURS for path in (root / name).rglob("*") if path.suffix in {".py", ".toml"})
    return _digest(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in sorted(files))


def _digest(words: Iterator[str] | Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:20]
