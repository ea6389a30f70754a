"""Child processes that work for this one: begun quickly, bounded in memory, deaf to Ctrl-C, gone when this one is."""

from __future__ import annotations

import os
import pkgutil
import resource
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process

import bot.rules

_PRELOADED = ("bot.__main__", "bot.review", "bot.mail.patch", "bot.mail.parse")


MOST_MEMORY = 2 << 30  # bytes of addresses, of which a worker needs an eighth for all of KVM


def workers(number: int) -> ProcessPoolExecutor:
    """A pool of ``number`` processes, begun when they are first needed.

    They are copies of a server that has our modules loaded and has done nothing else: a copy of this process would
    inherit the locks of its threads and its signal handlers, and a process from nothing needs half a second to load.
    One that wants more than MOST_MEMORY gets a MemoryError, or ends when C code asked for it.
    """
    context = get_context("forkserver")
    rules = (f"bot.rules.{module.name}" for module in pkgutil.iter_modules(bot.rules.__path__))
    context.set_forkserver_preload([*_PRELOADED, *rules])
    return ProcessPoolExecutor(number, mp_context=context, initializer=_begin)


def _begin() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the parent decides what it means
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker waits for work on a pipe that it holds open itself: nobody else would tell it of its parent's end."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
