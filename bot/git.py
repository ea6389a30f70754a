"""The one door to git: runs it as a child process, reads objects in bulk, and says in words what went wrong.

All but ``work`` blocks; callers on an event loop use a thread.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PATIENCE_SECONDS = 300.0
_PIPELINE = 64  # requests on their way at once: fewer waits, and far below what a pipe holds
_CHUNK = 1 << 16
_SET = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
# Inside of a git hook these name the hook's repository, and git would believe them before -C.
_UNSET = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"}
)


class GitError(Exception):
    """Git said no, or is not there; the message is its own last words."""


class TooBig(int):
    """The size of an object that is larger than what was asked for; its bytes were passed over."""


def run(directory: Path, *words: str, yes: Sequence[int] = (0,)) -> bytes:
    """What a git command prints.  Raises GitError when its exit code is not among ``yes`` or it takes too long."""
    command = _command(directory, words)
    try:
        done = subprocess.run(  # noqa: S603  words come from our own code, names in them are checked objects and paths
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"git {words[0]} took longer than {PATIENCE_SECONDS:.0f} seconds") from None
    except FileNotFoundError:
        raise GitError("git is not installed (install the package git)") from None
    if done.returncode not in yes:
        raise GitError(_last_words(done.stderr) or f"git {words[0]} ended with code {done.returncode}")
    return done.stdout


async def work(directory: Path, *words: str, within: float = PATIENCE_SECONDS) -> str:
    """What a git command prints that may take long.  It ends with its caller.  Raises GitError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(directory, words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # it has helpers, which are to end with it
        )
    except FileNotFoundError:
        raise GitError("git is not installed (install the package git)") from None
    try:
        said, complaints = await asyncio.wait_for(process.communicate(), within)
    except TimeoutError:
        raise GitError(f"git took longer than {within:.0f} seconds") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode:
        raise GitError(_last_words(complaints) or f"git ended with code {process.returncode}")
    return said.decode("utf-8", "replace")


def lines(directory: Path, *words: str) -> Generator[str, None, None]:
    """The lines that a git command prints, as they come.  Raises GitError at their end when it failed."""
    with _running(directory, words) as child:
        for line in child.out:
            yield line.decode("utf-8", "replace").rstrip("\n")
        if child.process.wait():
            raise GitError(child.last_words() or f"git {words[0]} ended with code {child.process.returncode}")


@contextmanager
def objects(directory: Path) -> Iterator[Objects]:
    """A running ``git cat-file --batch``, ended with the block."""
    with _running(directory, ("cat-file", "--batch")) as child:
        yield Objects(child)


class Objects:
    """Blobs by name (``COMMIT:path`` or an id, also a short one)."""

    def __init__(self, child: _Child) -> None:
        self._child = child

    def blobs(self, names: Sequence[str], limit: int) -> Iterator[bytes | TooBig | None]:
        """For each name its bytes, None when there is no such blob.  Raises GitError when git breaks down.

        Take them all: what is left over would be the answer to the next question.
        """
        for first in range(0, len(names), _PIPELINE):
            some = names[first : first + _PIPELINE]
            self._ask(some)
            for _ in some:
                yield self._answer(limit)

    def _ask(self, names: Sequence[str]) -> None:
        if any("\n" in name for name in names):
            raise GitError("an object name with a line break in it")
        try:
            self._child.ask.write("".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape"))
            self._child.ask.flush()
        except BrokenPipeError:
            raise GitError(self._child.last_words() or "git cat-file ended") from None

    def _answer(self, limit: int) -> bytes | TooBig | None:
        words = self._child.out.readline().split()
        if not words:
            raise GitError(self._child.last_words() or "git cat-file ended")
        if len(words) < 3 or not words[-1].isdigit():
            return None  # "NAME missing", "NAME ambiguous"
        size, kind = int(words[-1]), words[-2]
        if size <= limit:
            data = self._exactly(size + 1)[:-1]
            return data if kind == b"blob" else None
        for left in range(size + 1, 0, -_CHUNK):
            self._exactly(min(left, _CHUNK))
        return TooBig(size)

    def _exactly(self, size: int) -> bytes:
        data = self._child.out.read(size)
        if len(data) < size:
            raise GitError(self._child.last_words() or "git cat-file ended in the middle of an object")
        return data


class _Child:
    """A git process with its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101  it was started with pipes
        assert process.stdout is not None  # noqa: S101
        self.process = process
        self.ask: IO[bytes] = process.stdin
        self.out: IO[bytes] = process.stdout
        self._complaints = complaints

    def last_words(self) -> str:
        self._complaints.seek(0)
        return _last_words(self._complaints.read(_CHUNK))


@contextmanager
def _running(directory: Path, words: Sequence[str]) -> Iterator[_Child]:
    """A git process; nothing of it is left when the block ends.  Its complaints go to a file, which never blocks it."""
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(  # noqa: S603  as above
                _command(directory, words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=_environment(),
            )
        except FileNotFoundError:
            raise GitError("git is not installed (install the package git)") from None
        child = _Child(process, complaints)
        try:
            yield child
        finally:
            process.kill()
            child.out.close()
            with suppress(BrokenPipeError):  # it did not wait for our last words
                child.ask.close()
            process.wait()


def _command(directory: Path, words: Sequence[str]) -> list[str]:
    # A mirror is often another user's.  Whoever set the path means this place, and nothing in it is run.
    place = directory.resolve()
    trust = (f"safe.directory={place}", f"safe.directory={place / '.git'}")
    return ["git", *(word for setting in trust for word in ("-c", setting)), "-C", os.fspath(place), *words]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _UNSET} | _SET


def _last_words(complaints: bytes) -> str:
    """Git's last fatal line, or else its last line."""
    said = [line for line in complaints.decode("utf-8", "replace").splitlines() if line.strip()]
    fatal = [line for line in said if line.startswith("fatal: ")]
    return (fatal or said or [""])[-1].removeprefix("fatal: ")
