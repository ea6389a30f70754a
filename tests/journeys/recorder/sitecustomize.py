"""Writes down what each Python process does beyond itself: Python loads it at its start where PYTHONPATH names it.

One line each, in the file that RECORD names: "write PATH", "connect ADDRESS", "look-up NAME" or "run PROGRAM".
Audit events are those of the Python library reference, "Audit events table".
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

_RECORD = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# The paths that an event changes: where each is among its arguments, and where the descriptor of its folder is.
_CHANGES = {
    "os.mkdir": ((0, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
    "sqlite3.connect": ((0, None),),
}
_CALLS = {"socket.connect": "connect", "socket.sendto": "connect", "socket.sendmsg": "connect"}
_RUNS = {"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"}


def _record(what: str, subject: object) -> None:
    name = os.fsdecode(subject) if isinstance(subject, (str, bytes, os.PathLike)) else repr(subject)
    os.write(_RECORD, f"{what} {name}\n".encode("utf-8", "replace"))


def _path(path: object, folder: int | None) -> object:
    if isinstance(path, int) or folder is None or folder < 0:
        return path
    return Path(f"/proc/self/fd/{folder}").readlink() / os.fsdecode(path)  # type: ignore[arg-type]


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and not isinstance(arguments[0], int) and arguments[2] & _WRITES:
        _record("write", arguments[0])
    elif event in _CHANGES:
        for path, folder in _CHANGES[event]:
            _record("write", _path(arguments[path], None if folder is None else arguments[folder]))
    elif event in _CALLS:
        _record(_CALLS[event], arguments[1])
    elif event == "socket.getaddrinfo":
        _record("look-up", arguments[0])
    elif event in _RUNS:
        _record("run", arguments[0])


sys.addaudithook(_heard)
